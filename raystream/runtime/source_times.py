"""Event time of a reader's rows: which rows can have it, and why the others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from raystream.connectors.base import Position
from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.formats.moments import Unit, likely_unit
from raystream.ids import SplitId
from raystream.operators.event_time import TimedStep
from raystream.operators.event_times import EventTimes, Timed


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows with event time, and which of them are unusable.

    Args:
        frame: All rows, with TIME.
        timed: How their event time was determined.
        future: Rows beyond max_future; None: there are none, nor unusable ones.
        timeless: Rows that remove another need no event time of their own; None: there are none.
    """

    frame: pl.DataFrame
    timed: Timed
    future: pl.Series | None = None
    timeless: pl.Series | None = None

    def keep(self) -> pl.Series:
        """Boolean: the rows to keep."""
        assert self.future is not None
        return ~(self._unusable() | self.future)

    def unusable(self) -> list[int]:
        """Numbers of the rows to which the error policy applies."""
        assert self.future is not None
        found: list[int] = (self._unusable() & ~self.future).arg_true().to_list()
        return found

    def _unusable(self) -> pl.Series:
        unusable = self.timed.unusable()
        return unusable if self.timeless is None else unusable & ~self.timeless

    def reason(self, row: int) -> str:
        """Why the error policy applies to this row."""
        return self.timed.reason(row)

    def looks_like(self, row: int) -> str:
        """Hint at the likely unit of a row beyond max_future, as the end of a sentence."""
        value = self.timed.values[row]
        unit = likely_unit(value, self.timed.unit.name) if isinstance(value, int | float) else None
        return "" if unit is None else f"; {value} looks like {unit}: event_time_unit={unit!r}"


class SourceTimes:
    """Determines the event time of the rows of one Read.

    Args:
        step: The Read with its settings of event time.
    """

    def __init__(self, step: TimedStep) -> None:
        self._written: Any = step.event_time
        self._unit = Unit(step.event_time_unit, step.time_zone)
        self._times: EventTimes | None = None

    def of(self, frame: pl.DataFrame, limit: int | None) -> Judged:
        """The rows with their event time.

        Args:
            frame: Decoded rows; with TIME, where the record's own timestamp is event time.
            limit: Latest accepted time, epoch ms; None: any.
        """
        timed = self._timed(frame)
        if self._written is not None:
            # hstack, because with_columns costs a query of 0.1 ms for each poll.
            frame = frame.hstack([timed.times])
        judged = Judged(frame, timed)
        if not frame.height or self._all_good(timed, limit):
            return judged
        late = timed.times > limit if limit is not None else timed.times.is_in([])
        return Judged(frame, timed, late.fill_null(value=False), _timeless(frame, timed))

    def _timed(self, frame: pl.DataFrame) -> Timed:
        if self._written is None:
            stamps = frame.get_column(TIME)
            return Timed(Unit().epoch_ms(stamps), stamps, Unit())
        if self._times is None:
            self._times = EventTimes(self._written, self._unit, frame.schema)
        return self._times.of(frame)

    def _all_good(self, timed: Timed, limit: int | None) -> bool:
        if timed.times.null_count():
            return False
        highest = timed.times.max()
        if limit is not None and highest > limit:  # type: ignore[operator]
            return False
        return not timed.unusable().any() if limit is None else True


def highest_of(
    times: pl.Series, runs: Sequence[tuple[SplitId, int, int, Position]]
) -> dict[SplitId, int]:
    """The latest event time of each split, in one pass: runs may be as short as a record.

    Args:
        times: Of the rows, Int64; null where a row only removes another.
        runs: Rows [first, last) of a split, and a position.

    >>> highest_of(pl.Series([5, 9, 2]), [("a", 0, 1, 0), ("b", 1, 2, 0), ("a", 2, 3, 0)])
    {'a': 5, 'b': 9}
    """
    filled = [(split, first, last) for split, first, last, _ in runs if last > first]
    pieces = pairwise(filled)
    if times.null_count() or any(one[2] != other[1] for one, other in pieces):
        maxima: list[Any] = [times.slice(first, last - first).max() for _, first, last in filled]
    elif filled:
        import numpy as np  # a third of the start of `raystream validate`

        values = times.to_numpy()[: filled[-1][2]]
        maxima = np.maximum.reduceat(values, [first for _, first, _ in filled]).tolist()
    else:
        maxima = []
    found: dict[SplitId, int] = {}
    for (split, _, _), highest in zip(filled, maxima, strict=True):
        if highest is not None:  # rows that only remove others may have no event time
            found[split] = max(found.get(split, highest), highest)
    return found


def _timeless(frame: pl.DataFrame, timed: Timed) -> pl.Series | None:
    """Rows without event time that set nothing: a tombstone has no columns to compute it from."""
    if CHANGE not in frame.columns:
        return None
    sets = frame.get_column(CHANGE).is_in([RowKind.INSERT.value, RowKind.UPDATE_AFTER.value])
    return timed.times.is_null() & ~sets.fill_null(value=False)
