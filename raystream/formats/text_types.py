"""Types that JSON and CSV write as text: dates, times, durations, bytes; docs/formats.md has them.

Text that is not a value of its type, or holds more than the type can, becomes null; `lost` tells.
Why there are other readers of ISO 8601, too, says time/iso_parts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.data.nested import holds
from raystream.time.iso_parts import OFFSET, SECOND

_DIGITS = {"ms": 3, "us": 6, "ns": 9}
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
EPOCH_UNITS = tuple(_PER_SECOND)
"""Units in which a datetime may be written as a whole number since 1970."""

Leaf = Callable[[pl.Expr, pl.DataType], pl.Expr]

_FURTHEST_DAYS = 94_000_000
"""From 1970 either way, about 257,000 years: beyond, Polars has no text for a time."""

_DATE = "[+-]?[0-9]{4,6}-[0-9]{2}-[0-9]{2}"
_CLOCK = rf"[0-9]{{2}}:[0-9]{{2}}(?::{SECOND}(?:[.,][0-9]+)?)?"
_DURATION = (
    r"^([+-]?)P(?:([0-9]{1,10})W)?(?:([0-9]{1,10})D)?"
    r"(?:T(?:([0-9]{1,12})H)?(?:([0-9]{1,14})M)?(?:([0-9]{1,16})(?:[.,]([0-9]{1,9}))?S)?)?$"
)
_NOTHING = r"[PT]$"


def is_text(dtype: pl.DataType) -> bool:
    """Whether values of this type, or values in it, are written as text of a form of our own."""
    return holds(dtype, lambda kind: type(kind) in _FORMS)


def raw(dtype: pl.DataType, epoch: str | None = None) -> pl.DataType:
    """The type of what is in the payload.

    Args:
        dtype: Of the column.
        epoch: Unit of datetimes that are whole numbers; None: they are ISO 8601 text.
    """
    if isinstance(dtype, pl.List):
        return pl.List(raw(_instance(dtype.inner), epoch))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({f.name: raw(_instance(f.dtype), epoch) for f in dtype.fields})
    if epoch is not None and isinstance(dtype, pl.Datetime):
        return pl.Int64()
    return pl.String() if type(dtype) in _FORMS else dtype


def read(value: pl.Expr, dtype: pl.DataType, epoch: str | None = None) -> pl.Expr:
    """Text (or epoch numbers) -> values; null where it is none of this type."""
    return _walked(value, dtype, lambda part, kind: _form(kind, epoch).read(part, kind))


def write(value: pl.Expr, dtype: pl.DataType, epoch: str | None = None) -> pl.Expr:
    """Values -> text (or epoch numbers); null where there is no form for a value."""
    return _walked(value, dtype, lambda part, kind: _form(kind, epoch).write(part, kind))


def _form(dtype: pl.DataType, epoch: str | None) -> _Form:
    if epoch is not None and isinstance(dtype, pl.Datetime):
        return _Form(
            lambda part, kind: _from_epoch(part, kind, epoch),
            lambda part, kind: _to_epoch(part, kind, epoch),
        )
    return _FORMS.get(type(dtype), _AS_IT_IS)


def _walked(value: pl.Expr, dtype: pl.DataType, leaf: Leaf) -> pl.Expr:
    """The same value with its leaves changed, in lists and objects, too."""
    if isinstance(dtype, pl.List):
        return value.list.eval(_walked(pl.element(), _instance(dtype.inner), leaf))
    if isinstance(dtype, pl.Struct):
        fields = [
            _walked(value.struct.field(f.name), _instance(f.dtype), leaf).alias(f.name)
            for f in dtype.fields
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    return leaf(value, dtype)


def near(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """A datetime or date, null where it is so far away that Polars has no text for it."""
    per_day = 1 if dtype == pl.Date else 86_400 * _PER_SECOND[dtype.time_unit]  # type: ignore[attr-defined]
    return _within(value, _FURTHEST_DAYS * per_day)


def lost(before: pl.Series, after: pl.Series) -> pl.Series:
    """Which rows hold a value that `read` or `write` has no form for."""
    frame = pl.DataFrame([before.alias("before"), after.alias("after")])
    found = _nulls(pl.col("after"), after.dtype) > _nulls(pl.col("before"), before.dtype)
    return frame.select(found).to_series()


def applied(change: Callable[[pl.Expr], pl.Expr], column: pl.Series) -> pl.Series:
    """An expression over one column, whatever its name (`*` would be all columns)."""
    return column.alias("v").to_frame().select(change(pl.col("v"))).to_series().alias(column.name)


def _nulls(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """How many nulls are in each value."""
    own = value.is_null().cast(pl.Int64)
    if isinstance(dtype, pl.List):
        inner = _nulls(pl.element(), _instance(dtype.inner))
        return own + value.list.eval(inner).list.sum().fill_null(0)
    if isinstance(dtype, pl.Struct):
        parts = [_nulls(value.struct.field(f.name), _instance(f.dtype)) for f in dtype.fields]
        return pl.sum_horizontal(own, *parts)
    return own


# -- datetime ------------------------------------------------------------------------------------


def _read_datetime(text: pl.Expr, dtype: Any) -> pl.Expr:
    """Counted in 128 bits: Polars wraps around where a time is beyond its unit."""
    digits = _DIGITS[dtype.time_unit]
    whole = rf"^({_DATE})[Tt ]({_CLOCK}){OFFSET}?$"
    clock = _not_finer(text.str.extract(whole, 2).str.replace(",", ".", literal=True), digits)
    minutes = text.str.extract(whole, 1) + "T" + clock.str.head(5)
    minute = minutes.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="ms", strict=False)
    second = clock.str.slice(6, 2).replace("", "0").cast(pl.Int64)
    ms = minute.to_physical() + second * 1000
    fraction = clock.str.slice(9).str.pad_end(digits, "0").str.head(digits).cast(pl.Int128)
    offset = _offset_seconds(text)
    ms = ms - offset.fill_null(0) * 1000
    count = ms.cast(pl.Int128) * (10**digits // 1000) + fraction
    time: pl.Expr = count.cast(pl.Int64, strict=False).cast(pl.Datetime(dtype.time_unit))
    if dtype.time_zone is None:
        return time
    there = time.dt.replace_time_zone(dtype.time_zone, ambiguous="null", non_existent="null")
    moved = time.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)
    return pl.when(offset.is_null()).then(there).otherwise(moved)


def _not_finer(clock: pl.Expr, digits: int) -> pl.Expr:
    """Null where the text has digits that the unit cannot hold."""
    return pl.when(~clock.str.contains(rf"\.[0-9]{{{digits}}}[0-9]*[1-9]")).then(clock)


def _offset_seconds(text: pl.Expr) -> pl.Expr:
    """Seconds east of UTC, null without a zone."""
    zone = text.str.extract(rf"[Tt ].*?({OFFSET})$", 1)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    hours = zone.str.extract("^[+-](..)", 1).cast(pl.Int64)
    minutes = zone.str.extract("^[+-]..:?(..)$", 1).cast(pl.Int64).fill_null(0)
    utc = zone.str.to_uppercase() == "Z"
    return pl.when(utc).then(0).otherwise(sign * (hours * 3600 + minutes * 60))


def _write_datetime(value: pl.Expr, dtype: Any) -> pl.Expr:
    pattern = f"%Y-%m-%dT%H:%M:%S%.{_DIGITS[dtype.time_unit]}f"
    value = near(value, dtype)
    if dtype.time_zone is None:
        return value.dt.strftime(pattern)
    return value.dt.convert_time_zone("UTC").dt.strftime(pattern + "Z")


def _within(value: pl.Expr, furthest: int) -> pl.Expr:
    return pl.when(value.to_physical().cast(pl.Int128).abs() <= furthest).then(value)


def _from_epoch(number: pl.Expr, dtype: Any, unit: str) -> pl.Expr:
    target, given = _PER_SECOND[dtype.time_unit], _PER_SECOND[unit]
    wide = number.cast(pl.Int128)
    scaled = wide * (target // given) if target >= given else wide // (given // target)
    time: pl.Expr = scaled.cast(pl.Int64, strict=False).cast(pl.Datetime(dtype.time_unit))
    if dtype.time_zone is None:
        return time
    return time.dt.replace_time_zone("UTC").dt.convert_time_zone(dtype.time_zone)


def _to_epoch(value: pl.Expr, dtype: Any, unit: str) -> pl.Expr:
    here, wanted = _PER_SECOND[dtype.time_unit], _PER_SECOND[unit]
    wide = value.to_physical().cast(pl.Int128)
    scaled = wide * (wanted // here) if wanted >= here else wide // (here // wanted)
    return scaled.cast(pl.Int64, strict=False)


# -- date, time, duration, bytes -----------------------------------------------------------------


def _read_date(text: pl.Expr, dtype: Any) -> pl.Expr:
    return pl.when(text.str.contains(f"^{_DATE}$")).then(text).str.to_date("%Y-%m-%d", strict=False)


def _write_date(value: pl.Expr, dtype: Any) -> pl.Expr:
    return near(value, dtype).dt.strftime("%Y-%m-%d")


def _read_time(text: pl.Expr, dtype: Any) -> pl.Expr:
    clock = pl.when(text.str.contains(f"^{_CLOCK}$")).then(text)
    whole = pl.when(clock.str.len_bytes() == 5).then(clock + ":00").otherwise(clock)
    there = ~whole.str.starts_with("24")
    given = pl.when(there).then(whole.str.replace(",", ".", literal=True))
    return _not_finer(given, 9).str.to_time("%H:%M:%S%.f", strict=False)


def _write_time(value: pl.Expr, dtype: Any) -> pl.Expr:
    return value.dt.strftime("%H:%M:%S%.f")


def _read_duration(text: pl.Expr, dtype: Any) -> pl.Expr:
    """Weeks, days (of 24 h), hours, minutes and seconds; months and years have no length."""
    digits = _DIGITS[dtype.time_unit]
    given = text.str.to_uppercase()
    part = [given.str.extract(_DURATION, group) for group in range(8)]
    sizes = (604_800, 86_400, 3600, 60, 1)
    seconds = [
        number.cast(pl.Int128).fill_null(0) * size
        for number, size in zip(part[2:7], sizes, strict=True)
    ]
    fraction = part[7].fill_null("").str.pad_end(9, "0")
    finer = fraction.str.slice(digits).str.contains("[1-9]")
    total = pl.sum_horizontal(seconds) * 10**digits + fraction.str.head(digits).cast(pl.Int128)
    signed = pl.when(part[1] == "-").then(0 - total).otherwise(total)
    good = given.str.contains(_DURATION) & ~given.str.contains(_NOTHING) & ~finer
    whole = pl.when(good).then(signed).cast(pl.Int64, strict=False)
    return whole.cast(pl.Duration(dtype.time_unit))


def _write_duration(value: pl.Expr, dtype: Any) -> pl.Expr:
    digits = _DIGITS[dtype.time_unit]
    count = value.to_physical().cast(pl.Int128)
    sign = pl.when(count < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    size = pl.when(count < 0).then(0 - count).otherwise(count)
    seconds = (size // 10**digits).cast(pl.String)
    rest = (size % 10**digits).cast(pl.String).str.pad_start(digits, "0")
    behind = rest.str.strip_chars_end("0")
    point = pl.when(behind == "").then(pl.lit("")).otherwise(pl.lit(".") + behind)
    return pl.concat_str(sign, pl.lit("PT"), seconds, point, pl.lit("S"))


def _read_bytes(text: pl.Expr, dtype: Any) -> pl.Expr:
    return text.str.decode("base64", strict=False)


def _write_bytes(value: pl.Expr, dtype: Any) -> pl.Expr:
    return value.bin.encode("base64")


@dataclass(frozen=True, slots=True)
class _Form:
    read: Callable[[pl.Expr, Any], pl.Expr]
    write: Callable[[pl.Expr, Any], pl.Expr]


_AS_IT_IS = _Form(lambda part, kind: part, lambda part, kind: part)

_FORMS: Mapping[type, _Form] = {
    pl.Datetime: _Form(_read_datetime, _write_datetime),
    pl.Date: _Form(_read_date, _write_date),
    pl.Time: _Form(_read_time, _write_time),
    pl.Duration: _Form(_read_duration, _write_duration),
    pl.Binary: _Form(_read_bytes, _write_bytes),
}


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
