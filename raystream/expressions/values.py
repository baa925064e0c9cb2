"""A part of an expression with its type, and how parts of different types come together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any

import polars as pl

from raystream.expressions.bounds import Limits, Within, always_in, of_number, scaled
from raystream.expressions.problem import Problem
from raystream.expressions.years import always_near, may_be_far, near

TIMESTAMP = pl.Datetime("us")
ZONED = pl.Datetime("us", "UTC")
INTERVAL = pl.Duration("us")
INTEGER = pl.Int64()
WIDE = pl.Int128()
FLOAT = pl.Float64()
TEXT = pl.String()
TRUTH = pl.Boolean()
NULL = pl.Null()

NOT_CONSTANT = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows for which a part cannot be computed: where `when` is true, because of `reason`.

    `never` tells from the limits of the columns that there are none.
    """

    when: pl.Expr
    reason: str
    never: Callable[[Limits], bool] | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """A part of an expression.

    Args:
        value: Never raises; of a row with a fault it means nothing.
        dtype: Its type.
        at: Where it is in the text.
        faults: In the order in which they count.
        constant: The value itself if it is written out, else NOT_CONSTANT. A Decimal of type
            Float64 is a literal like 2.0, which is exact among decimals.
        name: As text, for messages about rows.
        within: Of a whole number: between which it lies, where that is known. Of a decimal the
            same, in units of its last digit.
        in_calendar: Of a time: null beyond the years 1 to 9999, which is a fault already.
    """

    value: pl.Expr
    dtype: pl.DataType
    at: int
    faults: tuple[Fault, ...] = ()
    constant: Any = NOT_CONSTANT
    name: str = ""
    within: Within | None = None
    in_calendar: bool = False

    @property
    def kind(self) -> str:
        """The type in a word."""
        return kind(self.dtype)

    @property
    def written(self) -> bool:
        """Whether the value is written out."""
        return self.constant is not NOT_CONSTANT

    @property
    def loose(self) -> bool:
        """A number with a point that is written out: exact among decimals, else a float."""
        return isinstance(self.constant, Decimal)


def kind(dtype: pl.DataType) -> str:
    """A word for a type: integer, float, decimal, string, timestamp, list, object, .."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    if isinstance(dtype, pl.Datetime):
        return "timestamp" if dtype.time_zone is None else "timestamp with time zone"
    if isinstance(dtype, pl.Enum | pl.Categorical):
        return "string"
    return _KINDS.get(type(dtype), str(dtype))


_KINDS: Mapping[type, str] = {
    pl.Decimal: "decimal",
    pl.String: "string",
    pl.Boolean: "boolean",
    pl.Binary: "binary",
    pl.Date: "date",
    pl.Time: "time",
    pl.Duration: "interval",
    pl.List: "list",
    pl.Array: "list",
    pl.Struct: "object",
    pl.Null: "null",
}
NUMBERS = ("integer", "float", "decimal")
TIMES = ("date", "timestamp", "timestamp with time zone")


def literal(value: Any, at: int, name: str = "") -> Typed:
    """A value that is written out.

    Raises:
        Problem: a whole number beyond 64 bits.
    """
    shown = name or ("NULL" if value is None else repr(value))
    if value is None:
        return Typed(pl.lit(None), NULL, at, constant=None, name=shown)
    if isinstance(value, bool):
        return Typed(pl.lit(value), TRUTH, at, constant=value, name=shown)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            message = f"{value} does not fit 64 bits"
            raise Problem(message, at, "write it as a decimal, with .0 behind it")
        within = of_number(value)
        return Typed(pl.lit(value, INTEGER), INTEGER, at, constant=value, name=shown, within=within)
    if isinstance(value, Decimal):
        return Typed(pl.lit(float(value), FLOAT), FLOAT, at, constant=value, name=str(value))
    return Typed(pl.lit(value, TEXT), TEXT, at, constant=value, name=shown)


def made(
    value: pl.Expr,
    dtype: pl.DataType,
    parts: Sequence[Typed],
    at: int,
    *faults: Fault,
) -> Typed:
    """A part made of others: their faults first, then its own."""
    before = tuple(fault for part in parts for fault in part.faults)
    return Typed(value, dtype, at, before + faults)


def guarded(part: Typed, when: pl.Expr) -> tuple[Fault, ...]:
    """Its faults, which count only where `when` is true."""
    return tuple(replace(fault, when=when & fault.when) for fault in part.faults)


def then_fault(
    part: Typed,
    became: pl.Expr,
    reason: str,
    never: Callable[[Limits], bool] | None = None,
) -> tuple[Fault, ...]:
    """The fault of a conversion that gave null of something."""
    return (Fault(part.value.is_not_null() & became.is_null(), reason, never),)


def as_float(part: Typed) -> Typed:
    """Float64; decimals and integers to the nearest."""
    if part.dtype == FLOAT:
        return part
    return replace(part, value=part.value.cast(FLOAT), dtype=FLOAT, within=None)


def as_integer(part: Typed) -> Typed:
    """Int64; only UInt64 and Int128 can be too great."""
    if part.dtype == INTEGER:
        return part
    value = part.value.cast(INTEGER, strict=False)
    safe = part.dtype not in (pl.UInt64(), WIDE)
    faults = () if safe else then_fault(part, value, f"integer overflow in {part.name}")
    return replace(part, value=value, dtype=INTEGER, faults=part.faults + faults)


def exact(part: Typed) -> Typed:
    """A decimal of a decimal, an integer, or a number that is written out."""
    if part.loose or (part.written and isinstance(part.constant, int)):
        number = Decimal(part.constant)
        scale = max(0, -int(number.as_tuple().exponent))
        if scale > 38 or len(number.as_tuple().digits) > 38:
            message = f"{part.constant} has more than 38 digits"
            raise Problem(message, part.at)
        dtype = pl.Decimal(38, scale)
        within = of_number(int(number.scaleb(scale, Context(prec=80))))
        return replace(part, value=pl.lit(number, dtype), dtype=dtype, within=within)
    if part.kind == "integer":
        dtype = pl.Decimal(38, 0)
        return replace(part, value=part.value.cast(dtype, strict=False), dtype=dtype)
    return part


def rescaled(part: Typed, scale: int) -> Typed:
    """A decimal with at least so many digits behind the point; a fault if those before do not fit."""
    assert isinstance(part.dtype, pl.Decimal)
    dtype = pl.Decimal(38, scale)
    if part.dtype == dtype:
        return part
    value = part.value.cast(dtype, strict=False)
    within = scaled(part.within, scale - part.dtype.scale)
    never = always_in(within, 1 - 10**38, 10**38 - 1)
    faults = then_fault(part, value, f"decimal overflow in {part.name}", never)
    return replace(part, value=value, dtype=dtype, faults=part.faults + faults, within=within)


def to_type(part: Typed, dtype: pl.DataType) -> Typed:
    """The part as the common type that `together` found."""
    if part.dtype == dtype:
        return part
    if dtype == INTEGER:
        return as_integer(part)
    if dtype == FLOAT:
        return as_float(part)
    if isinstance(dtype, pl.Decimal) and part.kind in NUMBERS:
        return rescaled(exact(part), dtype.scale)
    faults = part.faults
    if may_be_far(part) and dtype in (TIMESTAMP, ZONED):
        faults += then_fault(part, near(part), f"{part.name} is out of range", always_near(part))
        part = replace(part, value=near(part))
    faults += cut(part)
    return replace(part, value=part.value.cast(dtype, strict=False), dtype=dtype, faults=faults)


def is_fine(part: Typed) -> bool:
    """Whether it is a moment or an interval in nanoseconds."""
    dtype = part.dtype
    return isinstance(dtype, pl.Datetime | pl.Duration) and dtype.time_unit == "ns"


def cut(part: Typed) -> tuple[Fault, ...]:
    """The fault of a value with nanoseconds where there will be microseconds."""
    if not is_fine(part):
        return ()
    lost = part.value.to_physical() % 1000 != 0
    return (Fault(lost, f"{part.name} has nanoseconds, which do not fit microseconds"),)


def together(parts: Sequence[Typed], at: int, parse: Callable[[Typed, str], Typed]) -> list[Typed]:
    """The parts with one type.

    Args:
        parts: At least one.
        at: For the error.
        parse: Makes a time of text that is written out.

    Raises:
        Problem: they have nothing in common.
    """
    kinds = {part.kind for part in parts} - {"null"}
    times = kinds & {*TIMES, "time", "interval"}
    if "string" in kinds and len(times) == 1:
        [wanted] = times
        parts = [parse(p, wanted) if p.kind == "string" and p.written else p for p in parts]
    dtype = _common([part for part in parts if part.kind != "null"], at)
    return [to_type(part, dtype) for part in parts]


def _common(parts: Sequence[Typed], at: int) -> pl.DataType:
    if not parts:
        return NULL
    types = [part.dtype for part in parts]
    if all(dtype == types[0] for dtype in types) and not isinstance(types[0], pl.Decimal):
        return types[0]
    kinds = {part.kind for part in parts}
    if kinds == {"integer"}:
        return INTEGER
    if kinds <= set(NUMBERS):
        return _number(parts)
    if kinds <= {"date", "timestamp"}:
        return TIMESTAMP
    if len(kinds) == 1:
        return _same_kind(parts, at)
    raise apart(parts, at)


def _number(parts: Sequence[Typed]) -> pl.DataType:
    if any(part.kind == "float" and not part.loose for part in parts):
        return FLOAT
    if not any(part.kind == "decimal" for part in parts):
        return FLOAT
    scales = [exact(part).dtype for part in parts]
    return pl.Decimal(38, max(d.scale for d in scales if isinstance(d, pl.Decimal)))


def _same_kind(parts: Sequence[Typed], at: int) -> pl.DataType:
    match parts[0].kind:
        case "string":
            return TEXT
        case "timestamp":
            return TIMESTAMP
        case "timestamp with time zone":
            return ZONED
        case "interval":
            return INTERVAL
    raise apart(parts, at)


def apart(parts: Sequence[Typed], at: int) -> Problem:
    """The problem that types cannot be combined."""
    words = sorted({part.kind for part in parts})
    if len(words) == 1:
        return Problem(f"{words[0]}s of different types cannot be combined", at)
    listed = " and ".join(f"{'an' if w[0] in 'aeio' else 'a'} {w}" for w in words)
    return Problem(f"{listed} cannot be combined", at, "cast one of them")
