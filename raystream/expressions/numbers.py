"""Functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import polars as pl

from raystream.expressions.arithmetic import narrow, opposite, wide
from raystream.expressions.problem import Problem
from raystream.expressions.quotient import quotient
from raystream.expressions.table import Arguments, Function, simple
from raystream.expressions.values import FLOAT, INTEGER, Typed, as_float, to_type

GROUP = "Numbers"


def _absolute(given: Arguments) -> Typed:
    if given[0].kind == "integer":
        return narrow(given, wide(given[0]).abs())
    return given.gives(given[0].value.abs(), given[0].dtype)


def _sign(given: Arguments) -> Typed:
    value = given[0].value
    number = pl.when(value > 0).then(1).when(value < 0).then(-1).otherwise(0)
    if given[0].kind == "float":
        number = pl.when(value.is_nan()).then(0).otherwise(number)
    return given.gives(pl.when(value.is_not_null()).then(number).cast(INTEGER), INTEGER)


def _rounding(
    of_float: Callable[[pl.Expr], pl.Expr], of_decimal: Callable[[pl.Expr], pl.Expr]
) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        part = given[0]
        if part.kind == "integer":
            return given.gives(part.value, part.dtype)
        if part.kind == "float":
            return given.gives(of_float(part.value), part.dtype)
        dtype = pl.Decimal(38, 0)
        return given.gives(of_decimal(part.value).cast(dtype, strict=False), dtype)

    return build


def _whole(value: pl.Expr) -> pl.Expr:
    """The decimal toward zero."""
    return value.cast(pl.Int128, strict=False).cast(pl.Decimal(38, 0), strict=False)


def _decimal_floor(value: pl.Expr) -> pl.Expr:
    whole = _whole(value)
    return pl.when(value < whole).then(whole - pl.lit(Decimal(1))).otherwise(whole)


def _decimal_ceil(value: pl.Expr) -> pl.Expr:
    whole = _whole(value)
    return pl.when(value > whole).then(whole + pl.lit(Decimal(1))).otherwise(whole)


def _digits(given: Arguments) -> int:
    digits = given[1].constant if len(given) > 1 else 0
    if digits is None or not -18 <= digits <= 18:
        message = f"{given.name} takes from -18 to 18 digits"
        raise Problem(message, given[1].at)
    return int(digits)


def _round(given: Arguments) -> Typed:
    """Half away from zero, in every type."""
    digits, part = _digits(given), given[0]
    if part.kind == "integer":
        return _round_integer(given, digits)
    if part.kind == "decimal":
        assert isinstance(part.dtype, pl.Decimal)
        if digits < 0:
            message = "round of a decimal takes digits from 0"
            raise Problem(message, given.at, "cast it to bigint first")
        scale = min(digits, part.dtype.scale)
        dtype = pl.Decimal(38, scale)
        rounded = part.value.round(scale, mode="half_away_from_zero")
        return given.gives(rounded.cast(dtype, strict=False), dtype)
    value = as_float(part).value
    if digits < 0:
        size = 10.0**-digits
        return given.gives(
            quotient(value, pl.lit(size)).round(0, mode="half_away_from_zero") * size, FLOAT
        )
    return given.gives(_rounded(value, digits), FLOAT)


def _rounded(value: pl.Expr, digits: int) -> pl.Expr:
    """Polars multiplies first, so that 2.675, a little less than its name, would become 2.68."""
    size, plain = 10.0**digits, value.abs()
    about = plain * size
    high, size_high = (
        plain * _SPLIT - (plain * _SPLIT - plain),
        size * _SPLIT - (size * _SPLIT - size),
    )
    low, size_low = plain - high, size - size_high
    rest = (high * size_high - about) + low * size_high  # about + rest is exact (Dekker)
    if size_low:
        rest = ((high * size_high - about) + high * size_low + low * size_high) + low * size_low
    less = ((about - about.floor() == 0.5) & (rest < 0)) | (about >= 2.0**52)
    down = quotient(about.floor(), pl.lit(size))
    nearest = value.round(digits, mode="half_away_from_zero")
    fine = pl.when(~less).then(nearest).when(about >= 2.0**53).then(value)
    return fine.when(value < 0).then(-down).otherwise(down)


_SPLIT = 134217729.0
"""2**27 + 1: splits a float into its upper and its lower half."""


def _round_integer(given: Arguments, digits: int) -> Typed:
    if digits >= 0:
        return to_type(given[0], INTEGER)
    size = 10**-digits
    number = wide(given[0])
    half = number.abs() + size // 2
    rounded = (half // size) * size
    return narrow(given, pl.when(number < 0).then(opposite(rounded)).otherwise(rounded))


def _trunc(given: Arguments) -> Typed:
    digits, part = _digits(given), given[0]
    if digits < 0:
        message = "trunc takes digits from 0"
        raise Problem(message, given.at)
    if part.kind == "integer":
        return given.gives(part.value, part.dtype)
    if part.kind == "float":
        value = as_float(part).value
        size = 10.0**digits
        cut = quotient((value.abs() * size).floor(), pl.lit(size))
        signed = pl.when(value < 0).then(-cut).otherwise(cut)
        return given.gives(signed if digits else _float_trunc(value), FLOAT)
    assert isinstance(part.dtype, pl.Decimal)
    scale = min(digits, part.dtype.scale)
    dtype = pl.Decimal(38, scale)
    step = Decimal(10) ** -scale
    nearest = part.value.round(scale, mode="half_away_from_zero").cast(dtype, strict=False)
    too_far = nearest.abs() > part.value.abs()
    back = pl.when(part.value < 0).then(nearest + pl.lit(step)).otherwise(nearest - pl.lit(step))
    return given.gives(pl.when(too_far).then(back).otherwise(nearest).cast(dtype), dtype)


def _float_trunc(value: pl.Expr) -> pl.Expr:
    return pl.when(value < 0).then(value.ceil()).otherwise(value.floor())


def _power(given: Arguments) -> Typed:
    base, exponent = (as_float(part).value for part in given.parts)
    return given.gives(base.pow(exponent), FLOAT)


def _log(given: Arguments) -> Typed:
    parts = [as_float(part).value for part in given.parts]
    if len(parts) == 1:
        return given.gives(parts[0].log10(), FLOAT)
    return given.gives(quotient(parts[1].log(), parts[0].log()), FLOAT)


def _bits(given: Arguments, value: pl.Expr) -> Typed:
    return given.gives(value, INTEGER)


def _shift(left: bool) -> Callable[[Arguments], Typed]:
    def build(given: Arguments) -> Typed:
        number, by = given[0].value, given[1].value
        inside = by.is_between(0, 62)
        size = pl.when(inside).then(pl.lit(2, pl.Int128).pow(by.clip(0, 62).cast(pl.UInt32)))
        value = wide(given[0]) * size if left else number.cast(pl.Int128) // size
        outside = given.fault(~inside, "a shift is from 0 to 62 bits")
        found = narrow(given, value)
        return Typed(found.value, INTEGER, given.at, (*found.faults, outside))

    return build


def _float(name: str, meaning: str, value: Callable[[pl.Expr], pl.Expr], *also: str) -> Function:
    return simple(GROUP, name, "float", FLOAT, meaning, value, also=also)


def _pi(given: Arguments) -> Typed:
    return given.gives(pl.lit(math.pi), FLOAT)


FUNCTIONS = (
    Function(GROUP, "abs", "number", "Without the sign; of the least whole number an error.", _absolute),
    Function(GROUP, "sign", "number", "-1, 0 or 1.", _sign),
    Function(GROUP, "round", "number integer!?", "To so many digits behind the point (0; negative: before it), half away from zero in every type; of a float what counts is its exact value: 2.675 is a little less, and becomes 2.67.", _round, differs="A number that is written out (`round(1.005, 2)`) is a decimal there."),
    Function(GROUP, "trunc", "number integer!?", "Toward zero, after so many digits behind the point (0).", _trunc, also=("truncate",)),
    Function(GROUP, "floor", "number", "The greatest whole number that is not greater, in the type of a.", _rounding(pl.Expr.floor, _decimal_floor)),
    Function(GROUP, "ceil", "number", "The least whole number that is not less, in the type of a.", _rounding(pl.Expr.ceil, _decimal_ceil), also=("ceiling",)),
    Function(GROUP, "power", "number number", "a to the power of b, a float: 2 to the 63 and more do not wrap.", _power, also=("pow",)),
    _float("sqrt", "Square root; NaN of less than 0.", lambda v: v.sqrt()),
    _float("cbrt", "Cubic root.", lambda v: v.cbrt()),
    _float("exp", "e to the power of a.", lambda v: v.exp()),
    _float("ln", "Natural logarithm; -infinity of 0, NaN of less.", lambda v: v.log()),
    _float("log10", "Logarithm to base 10.", lambda v: v.log10()),
    _float("log2", "Logarithm to base 2.", lambda v: v.log(2)),
    Function(GROUP, "log", "number number?", "log(a) to base 10, log(b, a) to base b.", _log),
    _float("sin", "Sine.", lambda v: v.sin()),
    _float("cos", "Cosine.", lambda v: v.cos()),
    _float("tan", "Tangent.", lambda v: v.tan()),
    _float("asin", "Arc sine; NaN beyond -1 to 1.", lambda v: v.arcsin()),
    _float("acos", "Arc cosine; NaN beyond -1 to 1.", lambda v: v.arccos()),
    _float("atan", "Arc tangent.", lambda v: v.arctan()),
    _float("sinh", "Hyperbolic sine.", lambda v: v.sinh()),
    _float("cosh", "Hyperbolic cosine.", lambda v: v.cosh()),
    _float("tanh", "Hyperbolic tangent.", lambda v: v.tanh()),
    _float("cot", "Cotangent.", lambda v: quotient(pl.lit(1.0), v.tan())),
    _float("degrees", "Degrees of radians.", lambda v: v.degrees()),
    _float("radians", "Radians of degrees.", lambda v: v.radians()),
    simple(GROUP, "atan2", "float float", FLOAT, "Angle of the point (b, a).", pl.arctan2),
    Function(GROUP, "pi", "", "3.141592653589793.", _pi),
    Function(GROUP, "isnan", "float", "Whether it is NaN; null of null.", lambda given: given.gives(given[0].value.is_nan(), pl.Boolean()), also=("is_nan",)),
    Function(GROUP, "isinf", "float", "Whether it is infinite; null of null.", lambda given: given.gives(given[0].value.is_infinite(), pl.Boolean()), also=("is_inf",)),
    Function(GROUP, "isfinite", "float", "Whether it is neither infinite nor NaN; null of null.", lambda given: given.gives(given[0].value.is_finite(), pl.Boolean()), also=("is_finite",)),
    Function(GROUP, "bit_and", "integer integer", "Bits that both have.", lambda given: _bits(given, given[0].value & given[1].value), differs="An aggregate there; `a & b` here is refused."),
    Function(GROUP, "bit_or", "integer integer", "Bits that one has.", lambda given: _bits(given, given[0].value | given[1].value), differs="An aggregate there."),
    Function(GROUP, "bit_xor", "integer integer", "Bits that just one has.", lambda given: _bits(given, given[0].value ^ given[1].value), differs="An aggregate there."),
    simple(GROUP, "bit_count", "integer", INTEGER, "How many of its 64 bits are set.", lambda v: v.bitwise_count_ones().cast(INTEGER)),
    Function(GROUP, "shift_left", "integer integer", "a times 2 to the b; an error beyond 64 bits.", _shift(left=True), differs="There it is `a << b`."),
    Function(GROUP, "shift_right", "integer integer", "a by 2 to the b, toward minus infinity.", _shift(left=False), differs="There it is `a >> b`."),
)  # fmt: skip
