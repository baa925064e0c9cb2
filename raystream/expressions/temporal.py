"""Times that move: plus an interval, minus each other."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from raystream.expressions.intervals import Interval
from raystream.expressions.problem import Problem
from raystream.expressions.table import Arguments, Build
from raystream.expressions.values import INTEGER, INTERVAL, TIMESTAMP, Typed, apart, cut
from raystream.expressions.years import FIRST_MS, LAST_MS, always_near, inside, may_be_far, near

DATE = pl.Date()


def stamp(part: Typed) -> pl.Expr:
    """The time in microseconds of UTC, without a zone; null beyond the years 1 to 9999."""
    value = part.value
    if part.kind == "timestamp with time zone":
        value = value.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if part.kind == "date":
        return near(part).cast(TIMESTAMP, strict=False)
    return inside(value) if part.dtype == TIMESTAMP else inside(value).cast(TIMESTAMP, strict=False)


def in_calendar(build: Build) -> Build:
    """A function of times that fails for one beyond the years 1 to 9999, where it has no answer."""

    def built(given: Arguments) -> Typed:
        found = build(given)
        far = [
            replace(
                given.fault(part.value.is_not_null() & near(part).is_null(), _RANGE),
                never=always_near(part),
            )
            for part in given.parts
            if may_be_far(part)
        ]
        return replace(found, faults=(*found.faults, *far)) if far else found

    return built


_RANGE = "timestamp out of range"


def like(value: pl.Expr, part: Typed) -> tuple[pl.Expr, pl.DataType]:
    """A moment of UTC as the type of `part`: with the zone, if that has one."""
    if isinstance(part.dtype, pl.Datetime) and part.dtype.time_zone is not None:
        dtype = pl.Datetime("us", part.dtype.time_zone)
        moment = value.dt.replace_time_zone("UTC").dt.convert_time_zone(part.dtype.time_zone)
        return moment, dtype
    return value, TIMESTAMP


def shifted(given: Arguments, part: Typed, length: Typed, sign: int) -> Typed:
    """A time plus or minus an interval; a month later is the same day, or the last of the month."""
    if part.kind == "time":
        message = "a time of day has no day to move to"
        raise Problem(message, given.at, "compute with a timestamp")
    moment = stamp(part)
    if isinstance(length.constant, Interval):
        if length.constant.months:
            moment = moment.dt.offset_by(f"{sign * length.constant.months}mo")
        span = pl.lit(sign * length.constant.microseconds, pl.Int64).cast(INTERVAL)
        moved_to = inside(moment + span)
    else:
        span = length.value.cast(INTERVAL)
        moved_to = inside(moment + span if sign > 0 else moment - span)
    value, dtype = like(moved_to, part)
    missing = part.value.is_not_null() & length.value.is_not_null() & moved_to.is_null()
    out = given.fault(missing, _RANGE)
    return given.gives(value, dtype, out, *cut(part), *cut(length))


def moved(given: Arguments, sign: int) -> Typed:
    """A date plus or minus whole days."""
    days = given[1].value.cast(pl.Int128)
    start = given[0].value.cast(pl.Int32).cast(pl.Int128)
    number = start + days if sign > 0 else start - days
    least, most = FIRST_MS // 86_400_000, LAST_MS // 86_400_000
    value = pl.when(number.is_between(least, most)).then(number).cast(pl.Int32, strict=False)
    missing = number.is_not_null() & value.is_null()
    return given.gives(value.cast(DATE), DATE, given.fault(missing, "date out of range"))


def date_minus(given: Arguments) -> Typed:
    """Days between dates, an interval between timestamps."""
    left, right = given.parts
    if left.kind == right.kind == "date":
        days = [part.value.cast(pl.Int32).cast(pl.Int64) for part in given.parts]
        return given.gives(days[0] - days[1], INTEGER)
    zones = {part.kind == "timestamp with time zone" for part in given.parts}
    if len(zones) > 1:
        raise apart(given.parts, given.at)
    return given.gives(stamp(left) - stamp(right), INTERVAL, *cut(left), *cut(right))
