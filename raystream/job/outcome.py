"""How a run ended: `p.run()` returns it or raises; `raystream run` makes it its exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from raystream.exit_codes import OF_OUTCOME, ExitCode

OutcomeKind = Literal["finished", "stopped", "failed", "superseded", "submitted", "cancelled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run.

    Args:
        kind: `finished` (bounded input read to its end), `stopped` (on request), `failed`,
            `superseded` (a newer attempt of the same job took over), `submitted` (it continues
            outside this process), `cancelled` (ended at once, without a last commit).
        message: One line for people; for `failed` the first cause in at most 10 lines, ending with
            the user's own line when user code raised. May be empty.
        checkpoint: Number of the last committed checkpoint, or None if there is none.
        rows_in: Records that all sources read in this run, as far as they are committed.
        rows_out: Rows that all sinks wrote in this run, as far as they are committed.
        late: Late rows of this run, dropped or sent to `.late`.
        restarts: How often the job was restarted in this run.
        savepoint: Address of the savepoint requested with the stop.
        refused: It failed because the job as written cannot continue from its state: a wrong
            option, a step that is gone; nothing was changed.
        came_from: What the run started from: `nothing`, `checkpoint 41`, a savepoint's address.
        resumed_at: Split -> position at which it resumed, as text.
        ended_by: Who requested the end, if it was requested.
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
    came_from: str = ""
    resumed_at: Mapping[str, str] = field(default_factory=dict)
    ended_by: str = ""

    @property
    def exit_code(self) -> int:
        """See `raystream.exit_codes`.

        >>> Outcome("cancelled").exit_code, Outcome("failed", "KeyError: 'ip'").exit_code
        (4, 1)
        """
        return int(ExitCode.REFUSED if self.refused else OF_OUTCOME[self.kind])


AT_ONCE = Outcome(
    "cancelled", "killed without a last commit; what it left open is aborted by the next run"
)
"""Outcome of a job whose coordinator did not even answer a cancel."""
