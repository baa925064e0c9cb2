"""Times as text, and text as times: ISO 8601, `T` or a blank in the middle.

As SQL casts mean it; why there are other readers, too, says time/iso_parts.py.
"""

from __future__ import annotations

import polars as pl

from raystream.time.iso_parts import OFFSET, SECOND

EXAMPLES = {
    "date": "2024-03-01",
    "time": "10:00:00",
    "timestamp": "2024-03-01 10:00:00",
    "timestamptz": "2024-03-01 10:00:00+01:00",
}

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = rf"[0-9]{{2}}:[0-9]{{2}}(?::{SECOND}(?:\.[0-9]{{1,9}})?)?"
_WHOLE = rf"^{_DATE}(?:[Tt ]{_TIME} ?{OFFSET}?)?$"
_ZONE = rf"({OFFSET})$"


def as_text(value: pl.Expr, kind: str, digits: int = 6) -> pl.Expr:
    """A time as text, without trailing zeros of the second.

    Args:
        value: The time.
        kind: `date`, `time`, `timestamp`, `timestamp with time zone` (its UTC, with +00).
        digits: Of a second, at most: 6 or 9.
    """
    match kind:
        case "date":
            return value.dt.to_string("%Y-%m-%d")
        case "time":
            return _short(value.dt.to_string(f"%H:%M:%S%.{digits}f"))
        case "timestamp":
            return _short(value.dt.to_string(f"%Y-%m-%d %H:%M:%S%.{digits}f"))
        case _:
            utc = value.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            return as_text(utc, "timestamp", digits) + pl.lit("+00")


def _short(text: pl.Expr) -> pl.Expr:
    return text.str.replace(r"\.?0*$", "")


def parsed(text: pl.Expr, kind: str) -> pl.Expr:
    """Text as a time, null if it is none; an offset in the text counts, without one it is UTC.

    A date may have a time behind it, which does not count.

    Args:
        text: ISO 8601.
        kind: As `as_text`.
    """
    stripped = text.str.strip_chars()
    if kind == "date":
        whole = pl.when(stripped.str.contains(_WHOLE)).then(stripped)
        return whole.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if kind == "time":
        whole = pl.when(stripped.str.contains(rf"^{_TIME}$")).then(stripped)
        return _with_seconds(whole).str.to_time("%H:%M:%S%.f", strict=False)
    whole = pl.when(stripped.str.contains(_WHOLE)).then(stripped)
    moment = _local(whole) - _offset(whole)
    return moment if kind == "timestamp" else moment.dt.replace_time_zone("UTC")


def _with_seconds(text: pl.Expr) -> pl.Expr:
    short = text.str.len_chars() == 5
    return pl.when(short).then(text + pl.lit(":00")).otherwise(text)


def _local(text: pl.Expr) -> pl.Expr:
    day = text.str.slice(0, 10)
    clock = text.str.extract(rf"^.{{10}}[Tt ]({_TIME})", 1).fill_null("00:00")
    both = day + pl.lit(" ") + _with_seconds(clock)
    return both.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)


def _offset(text: pl.Expr) -> pl.Expr:
    zone = text.str.slice(10).str.extract(_ZONE, 1)
    digits = zone.str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    size = pl.duration(hours=hours, minutes=minutes, time_unit="us")
    return pl.when(digits.str.starts_with("-")).then(-size).otherwise(size)
