"""Times made of their parts, and the names of months and days."""

from __future__ import annotations

import polars as pl

from raystream.expressions.table import Arguments, Function
from raystream.expressions.temporal import in_calendar
from raystream.expressions.times import GROUP, local
from raystream.expressions.values import FLOAT, INTEGER, TEXT, TIMESTAMP, Typed

_DAY_US = 86_400_000_000
_LAST_YEAR = 9999


def _days(given: Arguments) -> pl.Expr:
    """Days since 1970; null where there is no such day in the years 1 to 9999."""
    year, month, day = (part.value for part in given.parts[:3])
    good = year.is_between(1, _LAST_YEAR) & month.is_between(1, 12) & day.is_between(1, 31)
    first = pl.date(pl.when(good).then(year), pl.when(good).then(month), 1)
    last = first.dt.month_end().dt.day()
    return pl.when(day <= last).then(first.cast(pl.Int32).cast(INTEGER) + day - 1)


def _made(given: Arguments, value: pl.Expr, dtype: pl.DataType, what: str) -> Typed:
    known = pl.all_horizontal(part.value.is_not_null() for part in given.parts)
    return given.gives(value, dtype, given.fault(known & value.is_null(), f"no such {what}"))


def _make_date(given: Arguments) -> Typed:
    value = _days(given).cast(pl.Int32).cast(pl.Date())
    return _made(given, value, pl.Date(), "date")


def _make_timestamp(given: Arguments) -> Typed:
    hour, minute, second = (part.value for part in given.parts[3:])
    us = (second.cast(FLOAT) * 1e6).round()
    good = hour.is_between(0, 23) & minute.is_between(0, 59) & us.is_between(0, 60_000_000 - 1)
    clock = (hour * 60 + minute) * 60_000_000 + pl.when(good).then(us).cast(INTEGER)
    count = pl.when(good).then(_days(given) * _DAY_US + clock)
    return _made(given, count.cast(TIMESTAMP), TIMESTAMP, "time")


def _name(pattern: str, given: Arguments) -> Typed:
    return given.gives(local(given[0]).dt.to_string(pattern), TEXT)


FUNCTIONS = (
    Function(GROUP, "monthname", "time", "Name of the month: `February`.", in_calendar(lambda given: _name("%B", given))),
    Function(GROUP, "dayname", "time", "Name of the day of the week: `Thursday`.", in_calendar(lambda given: _name("%A", given))),
    Function(GROUP, "make_date", "integer integer integer", "The date of a year (1 to 9999), month and day.", _make_date),
    Function(GROUP, "make_timestamp", "integer integer integer integer integer number", "The timestamp of a year, month, day, hour (to 23), minute and second (less than 60), to the microsecond.", _make_timestamp, differs="Hour 24 and second 60 are there, and one number is epoch microseconds: `epoch_us`."),
)  # fmt: skip
