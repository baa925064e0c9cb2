"""Functions of times. A timestamp has no zone and is UTC; one with a zone is an instant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from raystream.expressions.bounds import between
from raystream.expressions.casts import cast
from raystream.expressions.intervals import MICROSECONDS, MONTHS, unit
from raystream.expressions.problem import Problem
from raystream.expressions.quotient import quotient
from raystream.expressions.table import Arguments, Function
from raystream.expressions.temporal import in_calendar, like, shifted, stamp
from raystream.expressions.values import (
    FLOAT,
    INTEGER,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    ZONED,
    Typed,
    as_float,
    as_integer,
    cut,
)
from raystream.expressions.years import inside
from raystream.graph.nearest import did_you_mean

GROUP = "Time"

PARTS: Mapping[str, str] = {
    "year": "Year.",
    "quarter": "Quarter, 1 to 4.",
    "month": "Month, 1 to 12.",
    "week": "ISO week, 1 to 53.",
    "day": "Day of the month.",
    "dayofweek": "Day of the week, Sunday 0 to Saturday 6.",
    "isodow": "ISO day of the week, Monday 1 to Sunday 7.",
    "dayofyear": "Day of the year.",
    "hour": "Hour.",
    "minute": "Minute.",
    "second": "Whole second of the minute.",
    "millisecond": "Milliseconds of the minute, 0 to 59,999.",
    "microsecond": "Microseconds of the minute.",
    "epoch": "Seconds since 1970, a float.",
    "isoyear": "Year of the ISO week.",
    "decade": "Year by ten, whole: 202 of 2024.",
    "century": "Century, from 1: 21 from 2001 on.",
    "millennium": "Millennium, from 1: 3 from 2001 on.",
}
_SAME = {"dow": "dayofweek", "doy": "dayofyear", "weekofyear": "week", "dayofmonth": "day"}


def local(part: Typed) -> pl.Expr:
    """Calendar and clock of the time: of its own zone, if it has one."""
    if part.kind == "timestamp with time zone":
        value = part.value.dt.replace_time_zone(None)
        return inside(value).cast(TIMESTAMP, strict=False)
    return stamp(part)


def _part(given: Arguments, name: str, part: Typed) -> Typed:
    if name == "epoch":
        seconds = quotient(stamp(part).dt.epoch("us").cast(FLOAT), pl.lit(1e6))
        return given.gives(seconds, FLOAT)
    value = _of(local(part), name)
    return replace(given.gives(value.cast(INTEGER), INTEGER), within=between(0, 60_000_000))


def _of(time: pl.Expr, name: str) -> pl.Expr:
    at = time.dt
    match name:
        case "dayofweek":
            return at.weekday().cast(INTEGER) % 7
        case "isodow":
            return at.weekday()
        case "isoyear":
            return at.iso_year()
        case "decade":
            return at.year() // 10
        case "century" | "millennium":
            years = 100 if name == "century" else 1000
            return (at.year() - 1) // years + 1
        case "dayofyear":
            return at.ordinal_day()
        case "millisecond":
            return at.second().cast(INTEGER) * 1000 + at.millisecond()
        case "microsecond":
            return at.second().cast(INTEGER) * 1_000_000 + at.microsecond()
        case _:
            found: pl.Expr = getattr(at, name)()
            return found


def _extract(given: Arguments) -> Typed:
    word = str(given[0].constant).lower()
    name = _SAME.get(word, word)
    if name not in PARTS and name.endswith("s"):
        name = name[:-1]
    if name not in PARTS:
        message = f"a time has no part {word!r}"
        raise Problem(message, given[0].at, did_you_mean(word, PARTS))
    return _part(given, name, given[1])


def _unit(given: Arguments, number: int) -> str:
    word = str(given[number].constant)
    found = unit(word)
    if found is None:
        advice = did_you_mean(word, [*MONTHS, *MICROSECONDS])
        message = f"no unit of time {word!r}"
        raise Problem(message, given[number].at, advice)
    return found


_EVERY = {
    "year": "1y",
    "quarter": "1q",
    "month": "1mo",
    "week": "1w",
    "day": "1d",
    "hour": "1h",
    "minute": "1m",
    "second": "1s",
    "millisecond": "1ms",
    "microsecond": "1us",
}


def _trunc(given: Arguments) -> Typed:
    part = given[1]
    every = _EVERY[_unit(given, 0)]
    if part.kind == "timestamp with time zone":
        inner = pl.when(inside(part.value).is_not_null()).then(part.value)
        return given.gives(inner.dt.truncate(every), part.dtype)
    return given.gives(stamp(part).dt.truncate(every), TIMESTAMP)


def _diff(given: Arguments) -> Typed:
    """How many boundaries of the unit lie between: 00:59 to 01:01 is 1 hour."""
    which = _unit(given, 0)
    if which in MONTHS:
        months = [
            local(p).dt.year().cast(INTEGER) * 12 + local(p).dt.month() - 1 for p in given.parts[1:]
        ]
        start, end = (month // MONTHS[which] for month in months)
        return given.gives(end - start, INTEGER)
    every, size = _EVERY[which], MICROSECONDS[which]
    start, end = (local(part).dt.truncate(every).dt.epoch("us") for part in given.parts[1:])
    return given.gives((end - start) // size, INTEGER)


def _add(given: Arguments) -> Typed:
    """date_add(time, interval) or date_add('unit', number, time)."""
    if len(given) == 2:
        if given[1].kind != "interval":
            message = f"{given.name} takes a time and an interval, or a unit, a number and a time"
            raise Problem(message, given.at, "write date_add('day', 1, at)")
        return shifted(given, given[0], given[1], 1)
    number, time = (
        as_integer(_needs(given, 1, ("integer",))),
        _needs(given, 2, ("date", "timestamp", "timestamp with time zone")),
    )
    which = _unit(given, 0)
    if which in MONTHS:
        months = number.value.clip(-120_000, 120_000) * MONTHS[which]
        moment = stamp(time).dt.offset_by(months.clip(-120_000, 120_000).cast(TEXT) + pl.lit("mo"))
    else:
        span = number.value.cast(pl.Int128) * MICROSECONDS[which]
        far = span.cast(INTEGER, strict=False)
        bounded = pl.when(far.is_between(-(2**59), 2**59)).then(far)
        moment = stamp(time) + bounded.cast(INTERVAL)
    value, dtype = like(inside(moment), time)
    known = number.value.is_not_null() & time.value.is_not_null()
    out = given.fault(known & inside(moment).is_null(), "timestamp out of range")
    return given.gives(value, dtype, out, *cut(time))


def _needs(given: Arguments, number: int, kinds: tuple[str, ...]) -> Typed:
    part = given[number]
    if part.kind == "null":
        dtype = INTEGER if kinds == ("integer",) else TIMESTAMP
        return Typed(pl.lit(None, dtype), dtype, part.at)
    if part.kind == "string" and part.written and "timestamp" in kinds:
        from raystream.expressions.casts import of_text

        return of_text(part, "timestamp")
    if part.kind not in kinds:
        message = f"argument {number + 1} of {given.name} is {part.kind}, not {kinds[0]}"
        raise Problem(message, part.at, "write date_add('day', 1, at)")
    return part


def _zone(given: Arguments, number: int) -> str:
    name = str(given[number].constant)
    try:
        pl.select(pl.lit(0).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name))
    except pl.exceptions.PolarsError:
        message = f"no time zone {name!r}"
        raise Problem(message, given[number].at, "write one like Europe/Berlin or UTC") from None
    return name


def _at_zone(given: Arguments) -> Typed:
    """SQL: a timestamp becomes the instant of that local time, an instant the local time there."""
    part, zone = given[0], _zone(given, 1)
    if part.kind == "timestamp with time zone":
        local = part.value.dt.convert_time_zone(zone).dt.replace_time_zone(None)
        return given.gives(local.cast(TIMESTAMP), TIMESTAMP)
    local = stamp(part)
    moment = local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    gap = given.fault(local.is_not_null() & moment.is_null(), "this local time does not exist")
    return given.gives(moment, pl.Datetime("us", zone), gap)


def _to_timestamp(given: Arguments) -> Typed:
    if len(given) == 1:
        return cast(given[0], "timestamp", given.at)
    text, pattern = given[0].value, _parsed_format(given)
    value = text.str.to_datetime(pattern, time_unit="us", strict=False)
    if "%z" in pattern:
        value = value.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if "%y" in pattern:  # POSIX: 69 is of the last century, as 70 is
        value = pl.when(value.dt.year() == 2069).then(value.dt.offset_by("-100y")).otherwise(value)
    missing = text.is_not_null() & (value.is_null() | _leaps(text, value, pattern))
    return given.gives(value, TIMESTAMP, given.fault(missing, "the text is not of this format"))


def _leaps(text: pl.Expr, value: pl.Expr, pattern: str) -> pl.Expr:
    """Whether there was a second 60, of which the next minute was made."""
    again = value.dt.to_string(pattern.replace("%z", ""))
    lost = text.str.count_matches("60") > again.str.count_matches("60")
    return (value.dt.second() == 0) & lost


def _parsed_format(given: Arguments) -> str:
    """`%f` is a fraction, as in Python, not a number of nanoseconds; names of zones tell nothing."""
    pattern = re.sub(r"%%|\.%f|%f", lambda found: _FRACTIONS[found[0]], _format(given))
    if "%Z" in pattern.replace("%%", ""):
        message = "the name of a zone (%Z) does not tell the instant"
        raise Problem(message, given[1].at, "use an offset, %z, or leave it out with substring")
    try:
        pl.select(pl.lit("").str.to_datetime(pattern, strict=False))
        pl.select(pl.lit(0).cast(ZONED).dt.to_string(pattern))
    except pl.exceptions.PolarsError:
        message = f"{pattern!r} is not a format that tells a date"
        raise Problem(message, given[1].at, "write one like %Y-%m-%d %H:%M:%S") from None
    return pattern


_FRACTIONS = {"%%": "%%", ".%f": "%.f", "%f": "%6f"}


def _format(given: Arguments) -> str:
    """A format of strftime, or of Java (`yyyy-MM-dd HH:mm:ss`), which Flink has."""
    text = str(given[1].constant)
    if "%" in text:
        return text
    found, rest = "", text
    while rest:
        for word, code in _JAVA:
            if rest.startswith(word):
                found, rest = found + code, rest[len(word) :]
                break
        else:
            if rest[0].isalpha():
                message = f"the format has {rest[0]!r}, which is not known"
                raise Problem(message, given[1].at, "write one like %Y-%m-%d %H:%M:%S")
            found, rest = found + rest[0], rest[1:]
    return found


_JAVA = (
    ("yyyy", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("SSSSSS", "%6f"),
    ("SSS", "%3f"),
    ("'T'", "T"),
)


_DIGITS = {"%%": "%%", "%f": "%6f"}


def _strftime(given: Arguments) -> Typed:
    pattern = re.sub("%%|%f", lambda found: _DIGITS[found[0]], _format(given))
    try:
        pl.select(pl.lit(0).cast(TIMESTAMP).dt.to_string(pattern))
    except pl.exceptions.PolarsError:
        message = f"{pattern!r} is not a format"
        raise Problem(message, given[1].at, "write one like %Y-%m-%d %H:%M:%S") from None
    return given.gives(local(given[0]).dt.to_string(pattern), TEXT)


def _from_unix(given: Arguments) -> Typed:
    if given[0].kind == "integer":
        ms = given[0].value.cast(pl.Int128) * 1000
        return _instant(given, ms.cast(INTEGER, strict=False))
    us = (as_float(given[0]).value * 1e6).round(0).cast(INTEGER, strict=False)
    value = inside(us.cast(TIMESTAMP))
    missing = given[0].value.is_not_null() & value.is_null()
    return given.gives(value, TIMESTAMP, given.fault(missing, "timestamp out of range"))


def _instant(given: Arguments, ms: pl.Expr) -> Typed:
    from raystream.expressions.years import FIRST_MS, LAST_MS

    value = (
        pl.when(ms.is_between(FIRST_MS, LAST_MS)).then(ms).cast(pl.Datetime("ms")).cast(TIMESTAMP)
    )
    missing = given[0].value.is_not_null() & value.is_null()
    return given.gives(value, TIMESTAMP, given.fault(missing, "timestamp out of range"))


def _epoch(unit_: str) -> Function:
    size = {"ms": 1000, "us": 1}[unit_]

    def build(given: Arguments) -> Typed:
        part = given[0]
        if part.kind == "integer":
            number = part.value.cast(pl.Int128) * size
            value = inside(number.cast(INTEGER, strict=False).cast(TIMESTAMP))
            missing = part.value.is_not_null() & value.is_null()
            return given.gives(value, TIMESTAMP, given.fault(missing, "timestamp out of range"))
        if part.kind not in ("date", "timestamp", "timestamp with time zone"):
            message = f"{given.name} takes a time or a whole number, not {part.kind}"
            raise Problem(message, part.at)
        return given.gives(stamp(part).dt.epoch("us") // size, INTEGER)

    words = {"ms": "milliseconds", "us": "microseconds"}[unit_]
    meaning = f"The timestamp of epoch {words}; of a time: its epoch {words}."
    return Function(GROUP, f"epoch_{unit_}", "any", meaning, in_calendar(build))


def _last_day(given: Arguments) -> Typed:
    return given.gives(local(given[0]).dt.month_end().cast(pl.Date()), pl.Date())


def _date(given: Arguments) -> Typed:
    return cast(given[0], "date", given.at)


def _part_function(name: str, meaning: str) -> Function:
    also = tuple(word for word, same in _SAME.items() if same == name and len(word) > 3)
    return Function(
        GROUP, name, "time", meaning, in_calendar(lambda given: _part(given, name, given[0])), also
    )


FUNCTIONS = (
    Function(GROUP, "extract", "text! time", "The part b of a time: the words below, EXTRACT(hour FROM at).", in_calendar(_extract), also=("date_part",), shown="extract(part from time)", differs="`second` is whole."),
    *(_part_function(name, meaning) for name, meaning in PARTS.items()),
    Function(GROUP, "date_trunc", "text! time", "The start of the unit (`year` .. `microsecond`) that holds b; weeks begin on Monday. Days are those of its zone, if it has one.", in_calendar(_trunc)),
    Function(GROUP, "date_diff", "text! time time", "How many starts of the unit lie between b and c: from 00:59 to 01:01 it is 1 hour.", in_calendar(_diff), also=("datediff", "timestampdiff")),
    Function(GROUP, "date_add", "any any any?", "A time and an interval, or a unit, a number and a time: so much later.", _add, also=("dateadd", "timestampadd"), shown="date_add(time, interval), date_add('unit', n, time)"),
    Function(GROUP, "last_day", "time", "The last day of the month.", in_calendar(_last_day)),
    Function(GROUP, "to_timestamp", "text text!?", "The timestamp of ISO 8601 text, or of text in a format, which is strftime's (`%Y-%m-%d`; `%f` is a fraction, `%y` 69 is 1969) or Java's (`yyyy-MM-dd HH:mm:ss`). Second 60 and names of zones are errors.", _to_timestamp, also=("strptime",), differs="Seconds are `from_unixtime`, milliseconds `epoch_ms`: a bare number says neither."),
    Function(GROUP, "to_date", "any", "The date of a time or ISO text, as CAST.", in_calendar(_date)),
    Function(GROUP, "from_unixtime", "number", "The timestamp of epoch seconds.", _from_unix, differs="Is not there; Flink's gives text."),
    _epoch("ms"),
    _epoch("us"),
    Function(GROUP, "strftime", "time text!", "The time as text in a format of strftime or Java.", in_calendar(_strftime), also=("date_format",)),
    Function(GROUP, "at time zone", "time text!", "A timestamp: the instant at which clocks there show it (the earlier of two; none: an error). An instant: what clocks there show.", in_calendar(_at_zone), shown="a at time zone 'Europe/Berlin'", differs="A local time that does not exist is moved there."),
)  # fmt: skip
