"""Pace: how many rows a subtask takes at once, and how many may wait in front of it.

Both follow from the measured cost of rows, so that a barrier, a stop and the status never wait
long: large batches for columns, single rows where each takes long. Waiting rows are measured in
time, as in Flink's buffer debloating (FLIP-183).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp

from raystream.runtime.channels.credit import NO_LIMIT

COLUMN_ROWS = 2_000
"""Minimum rows at once where no user code runs: a call on columns costs as much as so many rows."""

BATCH_ROWS = 20_000
"""Maximum rows at once: a group-by costs 36 ns/row at this size, 95 at 2,000 rows."""

ROW_CODE_ROWS = 2_000
"""Maximum rows for Python called row by row: it may become slow from one row to the next."""

FIRST_ROWS = 2_000
"""Initial rows at once, where no user code runs."""

FIRST_AHEAD = 1
"""Initial limit of waiting rows, where some user code may be slow."""

PIECE_S = 0.1
"""Time limit of one piece of work (or of one row), seconds."""

AHEAD_S = 0.5
"""Time limit of the rows waiting in front of all subtasks of a path together, seconds."""

CALL_S = 1.0
"""Maximum time of functions in a piece whose call takes as long: else most of it is the call."""

RECENT = 8
"""Number of pieces whose least is the cost of a call: one of them met no pause of the machine."""

_KEPT = 0.8
"""Weight of the earlier measurements, with each new piece."""

_LONG_S = 10.0
"""Time constant of the long average, seconds: one row of a hundred may be the slow one.

Time beside the work counts, too: what a pause of the machine added must be forgotten, even by work
that takes next to no time.
"""

_UNKNOWN = 0.5
"""Assumed share of the call in the cost of a piece, where it cannot be measured."""

_FADES = 0.02
"""Rate per piece at which the measured share decays: then larger pieces are tried again."""

_SPREAD = 0.03
"""Pieces must differ this much (variance / squared mean) to separate call cost from row cost."""


class Cost:
    """Cost of a piece of work by its rows: the last few pieces, or the last seconds if higher.

    Args:
        calls: Whether each call has a cost of its own, as a batch function may have: it is
            separated from the cost of the rows by pieces of different size.

    >>> cost = Cost()
    >>> cost.took(10, 0.2)
    >>> cost.rows_within(0.1)
    5.0
    """

    def __init__(self, *, calls: bool = False) -> None:
        self._calls = calls
        self._share = _UNKNOWN if calls else 0.0
        self._long_rows = self._long_seconds = 0.0
        self._weight = self._rows = self._seconds = self._rows2 = self._both = 0.0

    def took(self, rows: int, seconds: float, beside: float = 0.0) -> None:
        """Record a processed piece, and the seconds that passed beside it."""
        self._weight = self._weight * _KEPT + 1
        self._rows = self._rows * _KEPT + rows
        self._seconds = self._seconds * _KEPT + seconds
        kept = exp(-(seconds + beside) / _LONG_S)
        self._long_rows = self._long_rows * kept + rows
        self._long_seconds = self._long_seconds * kept + seconds
        if self._calls:
            self._rows2 = self._rows2 * _KEPT + rows * rows
            self._both = self._both * _KEPT + rows * seconds
            self._divide()

    def _divide(self) -> None:
        """Estimate the call's share of the cost: least squares over the recent pieces."""
        self._share += _FADES * (_UNKNOWN - self._share)
        spread = self._weight * self._rows2 - self._rows**2
        if spread <= _SPREAD * self._rows**2 or self._seconds <= 0:
            return
        slope = (self._weight * self._both - self._rows * self._seconds) / spread
        self._share = min(max(1 - slope * self._rows / self._seconds, 0.0), 0.99)

    def per_row(self) -> float:
        """Seconds that one more row costs."""
        if not self._rows:
            return 0.0
        recent = self._seconds / self._rows
        return max(recent, self._long_seconds / self._long_rows) * (1 - self._share)

    def rows_within(self, seconds: float) -> float:
        """Rows that take this long, or twice as long as the call itself if that is more."""
        each = self.per_row()
        if each <= 0:
            return float("inf")
        call = self._share * self._seconds / self._weight
        return max(seconds - call, 2 * call) / each


@dataclass(frozen=True, slots=True)
class Start:
    """Initial values of a subtask, before anything is measured.

    Args:
        piece: Rows of the first piece.
        most: Rows of the largest piece.
        ahead: Rows that may wait initially.
        least_ahead: Limit of waiting rows below which what is behind does not press it.
        stages: Number of parts into which AHEAD_S is divided: the source, and every exchange of a
            path.
        calls: See Cost.
        whole: Pieces do not shrink to what downstream has room for: their calls cost too much.
        least: Rows of the smallest piece, as far as functions of rows allow: where calls cost more
            than their rows, smaller ones would take as long.
    """

    piece: int = FIRST_ROWS
    most: int = BATCH_ROWS
    ahead: int = FIRST_ROWS
    least_ahead: int = 1
    stages: int = 2
    calls: bool = False
    whole: bool = False
    least: int = 1


class Pace:
    """Measures the pieces of one subtask and adapts their size.

    Functions of rows and everything else are measured apart: only the former cost by the row for
    sure, however long the call takes on a loaded machine.

    Args:
        start: Initial values.

    >>> pace = Pace(Start(piece=1))
    >>> pace.worked(1, 7.0, 7.02); pace.piece
    4
    >>> pace.settled(7.02); pace.worked(4, 7.02, 7.10); pace.piece
    5
    """

    def __init__(self, start: Start = Start()) -> None:
        self.piece = start.piece
        """Rows of the next piece."""
        self.ahead = start.ahead
        """Rows that may wait in front of the subtask; NO_LIMIT: as many as memory allows."""
        self._most, self._least, self._least_ahead = start.most, start.least, start.least_ahead
        self._keeps_whole = start.whole
        self._ahead_s = AHEAD_S / start.stages
        self._functions = Cost()
        self._work = Cost(calls=start.calls)
        self._whole = Cost(calls=start.calls)
        self._calls: deque[float] = deque(maxlen=RECENT)
        self._open: tuple[int, float] | None = None
        self._passed = 0

    def fit(self, room: int) -> int:
        """Rows of the next piece, if downstream has this room; a call is never made smaller."""
        return self.piece if self._keeps_whole else min(self.piece, room)

    def worked(self, rows: int, began: float, ended: float, functions: float = 0.0) -> None:
        """Record a processed piece.

        Args:
            rows: Its rows.
            began: Its start, monotonic seconds.
            ended: Its end.
            functions: Seconds of it in functions that were called for each row.
        """
        self._open = rows, began + functions
        rest = ended - began - functions
        self._calls.append(rest)
        self._functions.took(rows, functions, rest)
        self._work.took(rows, rest)
        by_rows = self._functions.rows_within(self._at_least(PIECE_S))
        fit = min(by_rows, max(self._least, self._work.rows_within(PIECE_S)), self._most)
        self.piece = max(1, int(min(fit, max(self.piece, 4 * rows))))

    def settled(self, now: float) -> None:
        """Record that downstream took the output of the last piece: the next one may start."""
        if self._open is None:
            return
        rows, began = self._open
        self._open = None
        self._whole.took(rows, now - began)
        self._passed += rows
        fit = min(self._fit_ahead(), NO_LIMIT)
        if fit < self.ahead:
            self.ahead, self._passed = max(1, int(fit)), 0
        elif self._passed >= self.ahead:  # no faster than proven
            self.ahead, self._passed = int(min(fit, 2 * self.ahead)), 0

    def _fit_ahead(self) -> float:
        """Rows whose functions, and what is behind, together take as long as rows may wait."""
        each = self._functions.per_row() / self._at_least(self._ahead_s)
        behind = max(self._least_ahead, self._whole.rows_within(self._ahead_s))
        return 1 / (each + 1 / behind) if each else behind

    def _at_least(self, seconds: float) -> float:
        """Limit of the time of functions: what the call takes anyway is not worth less."""
        return max(seconds, min(CALL_S, *self._calls))

    def per_row(self) -> float:
        """Seconds of work per row in this subtask."""
        return self._functions.per_row() + self._work.per_row()
