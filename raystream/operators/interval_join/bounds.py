"""Bounds of an interval: constants, or columns of the left stream."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import TIME
from raystream.data.schema import no_column
from raystream.errors import ConfigurationError
from raystream.ids import HIDDEN
from raystream.operators.interval_join.step import Bound, IntervalJoin
from raystream.operators.joins.condition import FOREVER, UNTIL, Condition, Range, clipped
from raystream.state.keys import Mask

LOW, HIGH = f"{HIDDEN}low", f"{HIDDEN}high"

_SLOTS = 4
"""Slots of a table that a range of constant length spans."""

_LEAST = 10_000
"""Of a slot, ms: each costs a call of its own, even where few rows are in it."""

_MINUTE, _HOUR = 60_000, 3_600_000
_PER_MS = {"ns": 1_000_000, "us": 1000, "ms": 1}


def interval(step: IntervalJoin) -> Condition:
    """The condition of a step."""
    if isinstance(step.low, int) and isinstance(step.high, int):
        return ConstantInterval(step.low, step.high)
    kinds = {} if step.schemas is None else step.schemas[0].columns
    return ColumnInterval(step.low, step.high, kinds)


class ConstantInterval(Condition):
    """Each row of the left stream meets those from `low` to `high` behind its own time.

    Args:
        low: Milliseconds.
        high: Milliseconds.

    >>> ConstantInterval(-5, 10).behind(100, left=False, right=False)
    95
    """

    def __init__(self, low: int, high: int) -> None:
        self._low, self._high = low, high
        self._kept = max(high, 0), max(-low, 0)
        width = max(_LEAST, sum(self._kept) // _SLOTS)
        self.width = width, width

    def timed(self, frame: pl.DataFrame, port: int) -> pl.DataFrame:
        """A constant time behind its own."""
        return frame.hstack([(frame[TIME] + self._kept[port]).alias(UNTIL)])

    def reach(self, rows: pl.DataFrame, port: int) -> Range:
        """Constants as well."""
        times, other = rows[TIME].to_numpy(), self._kept[1 - port]
        low, high = (-self._high, -self._low) if port else (self._low, self._high)
        return times + low + other, times + high + other

    def behind(self, watermark: int, *, left: bool, right: bool) -> int:
        """A pair behind the watermark is younger than what the other stream still keeps."""
        mine, theirs = self._kept
        return watermark - max(min(mine, theirs), mine if left else 0, theirs if right else 0)


class ColumnInterval(Condition):
    """At least one bound is a column of the left stream.

    A row of the right stream is kept until the watermark is at its time, or `low` past it; so a
    column as the lower bound counts from the time of its own row on, at the earliest.

    Args:
        low: Milliseconds, or a column.
        high: Milliseconds, or a column.
        kinds: Types of the columns of the left stream.
    """

    def __init__(self, low: Bound, high: Bound, kinds: Mapping[str, pl.DataType]) -> None:
        self._low = _moment(low, kinds, up=True)
        if isinstance(low, str):
            known = self._low.is_not_null()  # a maximum leaves nulls out
            self._low = pl.when(known).then(pl.max_horizontal(self._low, TIME))
        self._high = _moment(high, kinds, up=False)
        self._kept = max(-low, 0) if isinstance(low, int) else 0
        self.width = _HOUR, max(_MINUTE, self._kept)
        self.extra = {LOW: pl.Int64(), HIGH: pl.Int64()}

    def timed(self, frame: pl.DataFrame, port: int) -> pl.DataFrame:
        """The left row until its last partner is due, but not before its own time."""
        if port:
            return frame.hstack([(frame[TIME] + self._kept).alias(UNTIL)])
        timed = frame.with_columns(self._low.alias(LOW), self._high.alias(HIGH))
        known = pl.col(LOW).is_not_null() & pl.col(HIGH).is_not_null()
        return timed.with_columns(pl.when(known).then(pl.max_horizontal(HIGH, TIME)).alias(UNTIL))

    def reach(self, rows: pl.DataFrame, port: int) -> Range:
        """A right row looks at all left rows that are kept beyond its time."""
        if port:
            times = rows[TIME].to_numpy()
            return times, times * 0 + FOREVER
        low, high = clipped(rows[LOW].to_numpy()), clipped(rows[HIGH].to_numpy())
        return low + self._kept, high + self._kept

    def meet(self, left: pl.DataFrame, right: pl.DataFrame) -> Mask | None:
        """The time of the right row lies between the bounds of the left one."""
        times = right[TIME].to_numpy()
        found: Mask = (left[LOW].to_numpy() <= times) & (times <= left[HIGH].to_numpy())
        return found

    def behind(self, watermark: int, *, left: bool, right: bool) -> int:
        """As far as right rows are kept; for left rows the operator looks at those it keeps."""
        return watermark - self._kept


def check_bound(name: str, columns: Mapping[str, pl.DataType]) -> None:
    """Refuse a bound that is not there, or no time.

    Raises:
        ConfigurationError: without `where`.
    """
    if name not in columns:
        error = no_column(name, columns)
        advice = f"{error.what_to_do}; a duration is written 10s, 5m, -250ms"
        what = f"join within: {error.what}"
        raise ConfigurationError(what, what_to_do=advice)
    kind = columns[name]
    if not (kind.is_integer() or isinstance(kind, pl.Datetime | pl.Date)):
        what = f"join within: column {name!r} of type {kind} is no time"
        advice = "it must be epoch ms or a datetime: make it one with with_columns"
        raise ConfigurationError(what, what_to_do=advice)


def _moment(bound: Bound, kinds: Mapping[str, pl.DataType], *, up: bool) -> pl.Expr:
    """Epoch ms of a bound; parts of a millisecond are rounded into the interval."""
    if isinstance(bound, int):
        return pl.col(TIME) + bound
    kind, column = kinds.get(bound), pl.col(bound)
    if isinstance(kind, pl.Date):
        return column.cast(pl.Int64) * 86_400_000
    if isinstance(kind, pl.Datetime):
        size, ticks = _PER_MS[kind.time_unit], column.cast(pl.Int64)
        return -(-ticks // size) if up else ticks // size
    return column.clip(-FOREVER, FOREVER).cast(pl.Int64)
