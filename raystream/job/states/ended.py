"""Ended: the last tidying up, if there is any, then the outcome; nothing comes after it."""

from __future__ import annotations

from raystream.ids import SubtaskId
from raystream.job.life import Life
from raystream.job.messages import (
    End,
    JobCommand,
    JobEvent,
    Ping,
    Pong,
    ProcedureDone,
    ProcedureFailed,
    Tick,
)
from raystream.job.outcome import OutcomeKind
from raystream.job.states.state import Step

TIDY_LIMIT_S = 10.0
"""So long the end waits for the procedure that runs: recovery finds whatever is left."""

COUNTERS_LIMIT_S = 1.0
"""So long it waits for the last counters of the subtasks."""


class Ended:
    """How the run ends.

    Args:
        kind: The outcome.
        message: For people.
        committed: The final checkpoint is committed: strays are aborted once more, and the last
            counters asked for. Else nothing more is ordered; only what runs may come to its end.
    """

    name = "ended"

    def __init__(self, kind: OutcomeKind, message: str = "", *, committed: bool = False) -> None:
        self.kind = kind
        self.message = message
        self.over = False
        self._committed = committed
        self._since = 0.0
        self._told: set[SubtaskId] = set()

    def enter(self, life: Life) -> Step:
        """Superseded sends nothing more: a newer attempt goes on from here."""
        self._since = life.now
        if self.kind == "superseded":
            return self, self._end(life)
        life.turns.clear()
        if not self._committed:
            return self, self._end_if_idle(life)
        commands: list[JobCommand] = [*life.in_background(last=True)]
        if life.opened == life.attempt:
            commands.append(Ping(life.opened))
        return self, [*commands, *self._end_if_idle(life)]

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Whatever happens now changes nothing any more."""
        if isinstance(event, Pong):
            self._told.add(event.subtask)
        if isinstance(event, Tick | ProcedureDone | ProcedureFailed | Pong) and not self.over:
            return self, self._end_if_idle(life)
        return self, []

    def _end_if_idle(self, life: Life) -> list[JobCommand]:
        waited = life.now - self._since
        if waited < TIDY_LIMIT_S and not (life.turns.idle and self._counted(life, waited)):
            return []
        return self._end(life)

    def _counted(self, life: Life, waited: float) -> bool:
        if not self._committed or life.opened != life.attempt or waited >= COUNTERS_LIMIT_S:
            return True
        return self._told >= set(life.spec.plan.subtasks())

    def _end(self, life: Life) -> list[JobCommand]:
        self.over = True
        return [End(life.report.outcome(self.kind, self.message, life.now))]
