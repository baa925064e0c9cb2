"""How a run ended: `p.run()` returns it or raises, `raystream run` makes it its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

OutcomeKind = Literal["finished", "stopped", "failed", "superseded", "submitted"]

_EXIT_CODES: Mapping[str, int] = {
    "finished": 0,
    "stopped": 0,
    "submitted": 0,
    "failed": 1,
    "superseded": 3,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run.

    Args:
        kind: `finished` (bounded input read to its end), `stopped` (asked to), `failed`,
            `superseded` (a newer attempt of the same job took over), `submitted` (it runs on, apart
            from this process).
        message: One line for people; for `failed` the first cause in at most 10 lines, ending on
            the user's own line when user code raised. May be empty.
        checkpoint: Number of the last committed checkpoint, or None if there is none.
        rows_in: Rows read by all sources in this run.
        rows_out: Rows written by all sinks in this run.
        late: Late rows of this run, dropped or sent to `.late`.
        restarts: How often the job was restarted in this run.
        savepoint: Address of the savepoint that was asked for with the stop.
        refused: It failed because the job as written cannot continue from where it is: a wrong
            option, a step that is gone; nothing was changed.
        counters: Further sums over the run by name: `dlq_rows`, `future_rows`, `skipped_rows`,
            `unknown_fields`, `nan_as_null`.

    >>> Outcome("finished", checkpoint=3).exit_code
    0
    >>> Outcome("superseded", "attempt 7 took over").exit_code
    3
    """

    kind: OutcomeKind
    message: str = ""
    checkpoint: int | None = None
    rows_in: int = 0
    rows_out: int = 0
    late: int = 0
    restarts: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    savepoint: str = ""
    refused: bool = False

    @property
    def exit_code(self) -> int:
        """0 finished, stopped or submitted, 1 failed, 2 refused, 3 superseded.

        >>> Outcome("failed", "KeyError: 'ip'").exit_code
        1
        """
        return 2 if self.refused else _EXIT_CODES[self.kind]


AT_ONCE = Outcome("stopped", "stopped at once, without a last commit")
"""The end of who asked twice."""
