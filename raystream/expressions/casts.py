"""CAST: every pair of types that has a meaning; what does not fit is a fault, never a wrap."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from raystream.expressions import iso
from raystream.expressions.bounds import Limits, Within, always_in, scaled
from raystream.expressions.problem import Problem
from raystream.expressions.values import (
    FLOAT,
    INTEGER,
    TEXT,
    TIMES,
    TIMESTAMP,
    TRUTH,
    ZONED,
    Typed,
    exact,
    kind,
    literal,
    made,
    then_fault,
)
from raystream.expressions.years import FIRST_MS, LAST_MS, always_near, may_be_far, near

TYPES: Mapping[str, pl.DataType] = {
    "boolean": TRUTH,
    "bool": TRUTH,
    "tinyint": pl.Int8(),
    "smallint": pl.Int16(),
    "int": pl.Int32(),
    "integer": pl.Int32(),
    "int4": pl.Int32(),
    "bigint": INTEGER,
    "int8": INTEGER,
    "long": INTEGER,
    "utinyint": pl.UInt8(),
    "usmallint": pl.UInt16(),
    "uinteger": pl.UInt32(),
    "ubigint": pl.UInt64(),
    "real": pl.Float32(),
    "float4": pl.Float32(),
    "float": FLOAT,
    "double": FLOAT,
    "float8": FLOAT,
    "varchar": TEXT,
    "string": TEXT,
    "text": TEXT,
    "date": pl.Date(),
    "time": pl.Time(),
    "timestamp": TIMESTAMP,
    "datetime": TIMESTAMP,
    "timestamptz": ZONED,
    "timestamp_ltz": ZONED,
}
"""Words of CAST -> types; `decimal(p,s)`, `numeric(p,s)` and `varchar(n)` beside them."""

_SIZED = re.compile(r"([a-z_0-9]+)\((\d+)(?:,(\d+))?\)(.*)")


def parse_type(word: str, at: int) -> tuple[pl.DataType, int | None]:
    """The type of a word behind AS, and the most characters of `varchar(n)`.

    Raises:
        Problem: no such type.

    >>> parse_type("decimal(18,2)", 0), parse_type("varchar(3)", 0)
    ((Decimal(precision=18, scale=2), None), (String, 3))
    """
    sized = _SIZED.fullmatch(word)
    if sized is None:
        plain = word.replace(" without time zone", "")
        plain = "timestamptz" if word == "timestamp with time zone" else plain
        if plain in ("decimal", "numeric"):
            return pl.Decimal(18, 3), None
        if plain in TYPES:
            return TYPES[plain], None
        raise _unknown(word, at)
    name, first, second, rest = sized.groups()
    if name in ("decimal", "numeric"):
        return _decimal(int(first), int(second or 0), at), None
    if name in ("varchar", "string") and second is None and int(first) > 0:
        return TEXT, int(first)
    if name == "timestamp" and second is None and int(first) <= 6:
        return (ZONED if rest.endswith("with time zone") else TIMESTAMP), None
    raise _unknown(word, at)


def _decimal(precision: int, scale: int, at: int) -> pl.DataType:
    if not 1 <= precision <= 38 or scale > precision:
        message = (
            f"decimal({precision},{scale}): 1 to 38 digits, and no more of them behind the point"
        )
        raise Problem(message, at)
    return pl.Decimal(precision, scale)


def _unknown(word: str, at: int) -> Problem:
    from raystream.graph.nearest import did_you_mean

    return Problem(f"no type {word!r}", at, did_you_mean(word, [*TYPES, "decimal(18,2)"]))


def cast(part: Typed, word: str, at: int, *, safe: bool = False) -> Typed:
    """CAST(part AS word); `safe` makes null of what does not fit.

    Raises:
        Problem: the pair of types has no meaning.
    """
    dtype, most = parse_type(word, at)
    if part.kind == "null":
        return made(pl.lit(None, dtype), dtype, [part], at)
    found = _cast(part, dtype, word, at)
    if most is not None:
        found = replace(found, value=found.value.str.slice(0, most))
    if safe:
        return replace(found, faults=part.faults)
    return found


def _cast(part: Typed, dtype: pl.DataType, word: str, at: int) -> Typed:
    if part.dtype == dtype:
        return replace(part, at=at)
    how = _CASTS.get((part.kind, kind(dtype)))
    if how is None:
        message = f"a value of type {part.kind} has no meaning as {kind(dtype)}"
        raise Problem(message, at, _ADVICE.get((part.kind, kind(dtype)), ""))
    value, faulty = how(part, dtype)
    reason = f"{part.name} does not fit {word}"
    if part.kind == "string":
        reason = f"{part.name} is not a valid {word}"
    never, within = _known(part, dtype)
    null = near(part) if how is _time_to_text else value
    faults = () if not faulty else then_fault(part, null, reason, never)
    cast = made(value, dtype, [part], at, *faults)
    return replace(cast, within=within, in_calendar=how is _from_epoch)


def _known(
    part: Typed, dtype: pl.DataType
) -> tuple[Callable[[Limits], bool] | None, Within | None]:
    """Whether all of a whole number's values fit, and what they become, by its limits."""
    if dtype == TEXT and may_be_far(part):
        return always_near(part), None
    if part.kind != "integer" or part.within is None:
        return None, None
    if dtype.is_integer():
        low, high = pl.select(dtype.min().alias("l"), dtype.max().alias("h")).row(0)  # type: ignore[attr-defined]
        return always_in(part.within, low, high), part.within
    if isinstance(dtype, pl.Decimal):
        most = 10 ** (dtype.precision - dtype.scale) - 1
        return always_in(part.within, -most, most), scaled(part.within, dtype.scale)
    if kind(dtype) in TIMES:
        return always_in(part.within, FIRST_MS, LAST_MS), None
    return None, None


Cast = Callable[[Typed, pl.DataType], tuple[pl.Expr, bool]]
"""Value, and whether it may be null of something that is not."""


def _plain(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.cast(dtype, strict=False), True


def _never_fails(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.cast(dtype), False


def _to_decimal(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    """Rounded half away from zero, as money is."""
    assert isinstance(dtype, pl.Decimal)
    source = exact(part) if part.loose or part.kind == "integer" else part
    value = source.value
    if source.kind == "string":
        stripped = value.str.strip_chars()
        number = pl.when(stripped.str.contains(_DECIMAL_TEXT)).then(stripped)
        value = number.cast(pl.Decimal(38, min(38, dtype.scale + 6)), strict=False)
    if source.kind != "integer":
        value = value.round(dtype.scale, mode="half_away_from_zero")
    return value.cast(dtype, strict=False), True


_DECIMAL_TEXT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def _text_to_integer(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.str.strip_chars().cast(dtype, strict=False), True


def _text_to_float(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    stripped = part.value.str.strip_chars()
    value = stripped.cast(dtype, strict=False)
    too_great = value.is_infinite() & stripped.str.contains(r"\d")
    return pl.when(~too_great).then(value), True


def _text_to_truth(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    word = part.value.str.strip_chars().str.to_lowercase()
    yes, no = word.is_in(["true", "t", "yes", "y", "1"]), word.is_in(["false", "f", "no", "n", "0"])
    return pl.when(yes).then(pl.lit(value=True)).when(no).then(pl.lit(value=False)), True


def _decimal_to_integer(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.cast(pl.Int128, strict=False).cast(dtype, strict=False), True


def _integer_to_truth(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value != 0, False


def _from_epoch(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    ms = part.value.cast(INTEGER, strict=False)
    inside = pl.when(ms.is_between(FIRST_MS, LAST_MS)).then(ms)
    return inside.cast(pl.Datetime("ms")).cast(TIMESTAMP).cast(dtype), True


def _to_epoch(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.dt.epoch("ms").cast(dtype, strict=False), True


def _to_zone(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.cast(TIMESTAMP, strict=False).dt.replace_time_zone("UTC"), True


def _from_zone(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    utc = part.value.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return utc.cast(dtype, strict=False), True


def _time_to_text(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    fine = part.dtype == pl.Time or getattr(part.dtype, "time_unit", "") == "ns"
    return iso.as_text(near(part), part.kind, 9 if fine else 6), may_be_far(part)


def _parsed(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    value = iso.parsed(part.value, kind(dtype))
    return near(replace(part, value=value, dtype=dtype)), True


def _float_to_text(part: Typed, dtype: pl.DataType) -> tuple[pl.Expr, bool]:
    return part.value.cast(TEXT), False


_ZONE = "timestamp with time zone"
_CASTS: Mapping[tuple[str, str], Cast] = {
    ("integer", "integer"): _plain,
    ("integer", "float"): _never_fails,
    ("integer", "decimal"): _to_decimal,
    ("integer", "string"): _never_fails,
    ("integer", "boolean"): _integer_to_truth,
    ("integer", "timestamp"): _from_epoch,
    ("integer", _ZONE): lambda part, dtype: (
        _from_epoch(part, TIMESTAMP)[0].dt.replace_time_zone("UTC"),
        True,
    ),
    ("float", "integer"): _plain,
    ("float", "float"): _never_fails,
    ("float", "decimal"): _to_decimal,
    ("float", "string"): _float_to_text,
    ("decimal", "integer"): _decimal_to_integer,
    ("decimal", "float"): _never_fails,
    ("decimal", "decimal"): _to_decimal,
    ("decimal", "string"): _never_fails,
    ("boolean", "integer"): _never_fails,
    ("boolean", "float"): _never_fails,
    ("boolean", "string"): _never_fails,
    ("string", "integer"): _text_to_integer,
    ("string", "float"): _text_to_float,
    ("string", "decimal"): _to_decimal,
    ("string", "boolean"): _text_to_truth,
    ("string", "string"): _never_fails,
    ("string", "date"): _parsed,
    ("string", "time"): _parsed,
    ("string", "timestamp"): _parsed,
    ("string", _ZONE): _parsed,
    ("date", "timestamp"): _plain,
    ("date", "string"): _time_to_text,
    ("date", _ZONE): _to_zone,
    ("timestamp", "timestamp"): _plain,
    ("timestamp", "date"): _never_fails,
    ("timestamp", "time"): lambda part, _: (part.value.dt.time(), False),
    ("timestamp", "string"): _time_to_text,
    ("timestamp", "integer"): _to_epoch,
    ("timestamp", _ZONE): _to_zone,
    (_ZONE, "timestamp"): _from_zone,
    (_ZONE, "date"): _from_zone,
    (_ZONE, "integer"): _to_epoch,
    (_ZONE, "string"): _time_to_text,
    (_ZONE, _ZONE): _plain,
    ("time", "string"): _time_to_text,
}
_ADVICE = {
    ("float", "timestamp"): "cast it to bigint first: whole epoch milliseconds",
    ("integer", "date"): "cast to timestamp first: whole epoch milliseconds",
    ("float", "boolean"): "compare it, for instance x <> 0",
}


def of_text(part: Typed, wanted: str) -> Typed:
    """Text that is written out, as the time that it is compared with.

    Raises:
        Problem: it is none.
    """
    words = {"timestamp with time zone": "timestamptz", "interval": "interval"}
    return time_literal(str(part.constant), words.get(wanted, wanted), part.at)


def time_literal(text: str, word: str, at: int) -> Typed:
    """`date '2024-03-01'`, `timestamp '..'`, `time '..'`.

    Raises:
        Problem: the text is no such time.
    """
    if word == "interval":
        from raystream.expressions.intervals import interval_literal

        return interval_literal(text, at)
    found = cast(literal(text, at), word, at)
    value = pl.select(found.value).item()
    if value is None:
        message = f"{text!r} is not a valid {word}"
        raise Problem(message, at, f"write it like {iso.EXAMPLES[word]}")
    return Typed(pl.lit(value, found.dtype), found.dtype, at, (), value, f"{word} '{text}'")
