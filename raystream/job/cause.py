"""Find the first cause among the errors of a failure: the dead subtask, not its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.ids import SubtaskId
from raystream.job.messages import Failure

GATHER_S = 0.05
"""How long errors are gathered, seconds: in a third of all kills a neighbour's EOF comes first."""

MAX_LINES = 10

_EFFECT = frozenset({"channel"})
_WEAK = frozenset({"silent"})


@dataclass(frozen=True, slots=True)
class Cause:
    """The subtask that failed first, and why.

    >>> cause = first_cause([
    ...     (SubtaskId("sink", 0), Failure("channel", "EOF from counts[1]")),
    ...     (SubtaskId("counts", 1), Failure("died", "process ended by signal 9")),
    ... ])
    >>> cause.line()
    'counts[1] died: process ended by signal 9'
    """

    subtask: SubtaskId | None
    failure: Failure

    def line(self) -> str:
        """One line for status and logs."""
        who = str(self.subtask) if self.subtask else "coordinator"
        step = f" at step {self.failure.step}" if self.failure.step else ""
        verb = _VERBS.get(self.failure.kind, "failed")
        return f"{who} {verb}{step}: {self.failure.message}"

    def text(self) -> str:
        """At most 10 lines for people, ending with the user's own line when user code raised."""
        head = self.line()
        details = [line.rstrip() for line in self.failure.lines if line.strip() not in head]
        where = self.failure.where
        if where and not any(where in line for line in (head, *details)):
            details.append(f"at {where}")
        return "\n".join([head, *details[-(MAX_LINES - 1) :]])


_VERBS = {"died": "died", "silent": "does not answer", "channel": "lost a neighbour"}


def first_cause(failures: list[tuple[SubtaskId | None, Failure]]) -> Cause:
    """The earliest failure that is not an effect of another.

    Args:
        failures: In order of arrival; at least one.
    """
    return Cause(*min(failures, key=lambda each: _rank(each[1])))


def _rank(failure: Failure) -> int:
    """Rank effects last; among equals the order of arrival decides, since `min` keeps the first."""
    if failure.kind in _EFFECT:
        return 2
    return 1 if failure.kind in _WEAK else 0
