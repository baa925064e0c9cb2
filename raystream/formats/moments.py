"""Columns that hold moments, in whatever unit, to event time in epoch milliseconds.

Whole numbers and decimals of finer units are cut to the millisecond that has begun, so that a
moment never moves into the next window. Numbers with a fraction are first rounded to the
microsecond, the finest that such numbers hold of today: 1700000000.123 s is 1700000000123 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.formats import iso8601
from raystream.time.limits import EARLIEST_MS, LATEST_MS, PLAUSIBLE_MS

UNITS = ("s", "ms", "us", "ns", "iso8601")
"""How a column may hold event time."""

TOO_LATE = LATEST_MS + 1
"""Stands for every moment behind the year 9999."""

_PER_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True, slots=True)
class Unit:
    """How moments are written.

    Args:
        name: One of UNITS.
        time_zone: Of text and datetimes without a zone; None: such text is not a moment, such
            datetimes are UTC.
    """

    name: str = "ms"
    time_zone: str | None = None

    def check(self, dtype: pl.DataType, column: str) -> None:
        """Refuse a column that cannot hold moments of this unit.

        Raises:
            ConfigurationError: says what it holds, and which option helps.
        """
        number = dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Decimal)
        if isinstance(dtype, pl.Datetime | pl.Date | pl.Null):
            return
        if dtype == pl.String and self.name != "iso8601":
            text = f"event_time: column {column!r} is {dtype}, not whole epoch {_WORDS[self.name]}"
            advice = (
                f"name a column of epoch {_WORDS[self.name]}, or pass event_time_unit='iso8601'"
            )
        elif dtype != pl.String and not number:
            text = f"event_time: column {column!r} is {dtype}, no time"
            advice = "name a column with a number, text or datetime"
        elif number and self.name == "iso8601":
            text = f"event_time: column {column!r} is {dtype}, not text"
            advice = "pass event_time_unit='s', 'ms', 'us' or 'ns'"
        else:
            return
        raise ConfigurationError(text, what_to_do=advice)

    def epoch_ms(self, values: pl.Series) -> pl.Series:
        """Int64: null where there is no moment of the years 1 to 9999, TOO_LATE if it is later.

        >>> Unit("s").epoch_ms(pl.Series([1_700_000_000.123, None])).to_list()
        [1700000000123, None]
        >>> Unit("us").epoch_ms(pl.Series([1_999, -1])).to_list()
        [1, -1]
        """
        dtype = values.dtype
        if dtype == pl.String:
            found = iso8601.epoch_ms(values, self.time_zone)
        elif isinstance(dtype, pl.Datetime | pl.Date):
            found = self._of_datetimes(values)
        elif dtype == pl.Int64 or dtype.is_integer():
            found = self._of_integers(values)
        elif isinstance(dtype, pl.Decimal) or dtype.is_float():
            found = self._of_fractions(values.cast(pl.Float64))
        else:
            found = pl.Series(values.name, [None] * len(values), dtype=pl.Int64)
        return _within(found)

    def reason(self, value: Any) -> str:
        """Why this value is not an event time."""
        if value is None:
            return "event time is null"
        if isinstance(value, str):
            found = iso8601.epoch_ms(pl.Series([value]), self.time_zone)[0]
            if found is None:
                return f"event time {iso8601.reason(value, self.time_zone)}"
            return f"event time {value!r} is outside the years 1 to 9999"
        word = _WORDS.get(self.name, "")
        hint = self._finer(value)
        return f"event time {value} {word} is outside the years 1 to 9999{hint}"

    def _finer(self, value: Any) -> str:
        better = likely_unit(value, self.name)
        return f"; {_WORDS[better]}? event_time_unit={better!r}" if better else ""

    def _of_integers(self, values: pl.Series) -> pl.Series:
        per = _PER_SECOND[self.name]
        if per == 1000 and values.dtype == pl.Int64:  # noqa: PLR2004 - milliseconds
            return values
        whole = values.cast(pl.Int64, strict=False)
        huge = whole.is_null() & values.is_not_null() & (values > 0)
        if per < 1000:  # noqa: PLR2004
            limits = (EARLIEST_MS // 1000, LATEST_MS // 1000)
            inside = whole.is_between(*limits)
            huge |= whole > limits[1]
            found = (whole * 1000).set(~inside, None)
        else:
            found = whole // (per // 1000)
        return found.set(huge.fill_null(value=False), TOO_LATE)

    def _of_fractions(self, values: pl.Series) -> pl.Series:
        micro = values * (1e6 / _PER_SECOND[self.name])
        limits = (EARLIEST_MS * 1000, (TOO_LATE + 1) * 1000)
        huge = micro > limits[1]  # NaN is greater than all, for Polars
        huge = huge & micro.is_not_nan()
        inside = micro.is_between(*limits) & micro.is_not_nan()
        found = micro.set(~inside.fill_null(value=False), None).round().cast(pl.Int64) // 1000
        return found.set(huge.fill_null(value=False), TOO_LATE)

    def _of_datetimes(self, values: pl.Series) -> pl.Series:
        zoned = isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None
        if self.time_zone is None or zoned:
            moments = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values
            return moments.dt.epoch("us") // 1000
        return iso8601.in_zone(
            values.cast(pl.Datetime("us")).dt.epoch("us") // 1000, self.time_zone
        )


def likely_unit(value: float, unit: str) -> str | None:
    """The unit in which a number is a time of our days, where it is none in `unit`."""
    if unit not in _PER_SECOND or isinstance(value, bool):
        return None
    for name, per in _PER_SECOND.items():
        inside = PLAUSIBLE_MS[0] <= value * 1000 / per <= PLAUSIBLE_MS[1]
        if inside:
            return name if name != unit else None
    return None


def _within(times: pl.Series) -> pl.Series:
    low, high = times.min(), times.max()
    if low is None or (low >= EARLIEST_MS and high <= TOO_LATE):  # type: ignore[operator]
        return times
    early = (times < EARLIEST_MS).fill_null(value=False)
    late = (times > LATEST_MS).fill_null(value=False)
    return times.set(late, TOO_LATE).set(early, None)
