"""Firing: due timers, in pieces, in the order of their times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.errors import ConfigurationError
from raystream.operators.process.scope import Op
from raystream.operators.process.tables import AT, TimerTable, numbered
from raystream.time.limits import LATEST_MS

PIECE = 5_000
"""Timers that fire between two looks at the room downstream."""

GENERATIONS = 10_000
"""Timers that may set one another, one behind the other, once event time has ended."""

Fire = Callable[[int, int], Sequence[Op]]
"""Number of a key and a time; gives the timers that were set and deleted thereby."""


class Firing:
    """Timers that are due at once; those that they set up to the same time are among them.

    Args:
        table: Takes later ones.
        due: Keys and times, by time.
        until: Up to this time; None: event time has ended, all fire.
    """

    def __init__(self, table: TimerTable, due: pl.DataFrame, until: int | None) -> None:
        self._table = table
        self._left = due.with_columns(pl.lit(0, pl.Int32()).alias(_GENERATION))
        self.until = LATEST_MS if until is None else until
        self.ended = until is None

    def __bool__(self) -> bool:
        """Whether some are left."""
        return self._left.height > 0

    def take(self) -> _Piece:
        """The next timers."""
        piece, self._left = self._left[:PIECE], self._left[PIECE:]
        return _Piece(self, piece, piece[AT][-1] if self._left.height else self.until)

    def later(self, ops: dict[tuple[int, int], tuple[bool, int]], keys: pl.DataFrame) -> None:
        """Set and delete timers behind a piece."""
        if not ops:
            return
        rows = timer_rows([(key, at, on) for (key, at), (on, _) in ops.items()], keys)
        generation = pl.Series(_GENERATION, [each for _, each in ops.values()], pl.Int32())
        rows = rows.with_columns(generation)
        soon = rows.filter(pl.col(AT) <= self.until)
        apply_timers(self._table, rows.filter(pl.col(AT) > self.until).drop(_GENERATION))
        if not soon.height:
            return
        by = [name for name in soon.columns if name not in (_SET, _GENERATION)]
        left = self._left.join(soon, on=by, how="anti", nulls_equal=True)
        self._left = pl.concat([left, soon.filter(_SET).drop(_SET)]).sort(AT, maintain_order=True)


class _Piece:
    """Some timers, and those that they set within their time."""

    def __init__(self, firing: Firing, due: pl.DataFrame, end: int) -> None:
        self._firing, self._end = firing, end
        numbers, self.keys = numbered(due, firing._table.keys)
        times, generations = due[AT].to_list(), due[_GENERATION].to_list()
        self._heap = list(zip(times, numbers, generations, strict=True))
        self._heap.sort()
        self._waiting = {(key, at) for at, key, _ in self._heap}
        self._later: dict[tuple[int, int], tuple[bool, int]] = {}

    def run(self, fire: Fire, over: Callable[[], bool]) -> None:
        """Fire them, by time, for a while: barriers wait meanwhile.

        Args:
            fire: Fires one.
            over: Whether the rest of them is for the next piece.

        Raises:
            ConfigurationError: event time has ended, and they set one another for ever.
        """
        fired = 0
        while self._heap and fired < 2 * PIECE and not (fired and over()):
            fired += 1
            at, key, generation = heappop(self._heap)
            if (key, at) in self._waiting:
                self._waiting.discard((key, at))
                for number, time, on in fire(key, at):
                    self._set(number, time, generation + 1, on=on)
        left = ((at, key, g) for at, key, g in self._heap if (key, at) in self._waiting)
        self._later |= {(key, at): (True, generation) for at, key, generation in left}
        self._firing.later(self._later, self.keys)

    def _set(self, key: int, at: int, generation: int, *, on: bool) -> None:
        if self._firing.ended and generation > GENERATIONS:
            what = "timers set one another without end after the end of the input"
            raise ConfigurationError(what, what_to_do="set none if ctx.ended")
        if at > self._end:
            self._later[key, at] = (on, generation)
        elif not on:
            self._waiting.discard((key, at))
        elif (key, at) not in self._waiting:
            self._waiting.add((key, at))
            heappush(self._heap, (at, key, generation))


_GENERATION, _SET = f"{HIDDEN}generation", f"{HIDDEN}set"


def timer_rows(ops: Sequence[Op], keys: pl.DataFrame) -> pl.DataFrame:
    """Timers as rows, with whether each is set.

    Args:
        ops: One per key and time.
        keys: The keys by number.
    """
    rows = keys[[key for key, _, _ in ops]]
    times = pl.Series(AT, [at for _, at, _ in ops], pl.Int64())
    return rows.with_columns(times, pl.Series(_SET, [on for _, _, on in ops], pl.Boolean()))


def apply_timers(table: TimerTable, rows: pl.DataFrame) -> None:
    """Set and delete timers."""
    on = rows[_SET]
    rows = rows.drop(_SET)
    if not on.all():
        table.delete(rows.filter(~on))
    if on.any():
        table.register(rows.filter(on))
