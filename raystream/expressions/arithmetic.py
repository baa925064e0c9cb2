"""`+ - * / // %`: whole numbers in 64 bits or a fault, decimals exact, floats by IEEE 754."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl

from raystream.expressions.bounds import always_in, computed
from raystream.expressions.problem import Problem
from raystream.expressions.quotient import quotient
from raystream.expressions.table import Arguments, Function
from raystream.expressions.temporal import date_minus, moved, shifted
from raystream.expressions.values import (
    FLOAT,
    INTEGER,
    NULL,
    NUMBERS,
    TIMES,
    WIDE,
    Fault,
    Typed,
    apart,
    as_float,
    as_integer,
    exact,
    literal,
    made,
    rescaled,
)

Operation = Callable[..., Any]


def narrow(given: Arguments, wide: pl.Expr, reason: str = "integer overflow") -> Typed:
    """An Int128 as Int64, a fault if it does not fit."""
    value = wide.cast(INTEGER, strict=False)
    fault = given.fault(wide.is_not_null() & value.is_null(), reason)
    return given.gives(value, INTEGER, fault)


def wide(part: Typed) -> pl.Expr:
    """The whole number in 128 bits, where sums and products of two 64-bit numbers fit."""
    return part.value.cast(WIDE)


def opposite(number: pl.Expr) -> pl.Expr:
    """Minus the number: Polars does not negate Int128."""
    return pl.lit(0, WIDE) - number


def _numbers(given: Arguments) -> Arguments:
    """Both are numbers; null counts as a number of the other's type."""
    kinds = {part.kind for part in given.parts} - {"null"}
    if not kinds <= set(NUMBERS):
        raise apart(given.parts, given.at) if len(kinds) > 1 else _no_numbers(given)
    other = next((p.dtype for p in given.parts if p.kind != "null"), INTEGER)
    parts = tuple(
        replace(p, value=pl.lit(None, other), dtype=other) if p.dtype == NULL else p
        for p in given.parts
    )
    return replace(given, parts=parts)


def _no_numbers(given: Arguments) -> Problem:
    message = f"{given.name} of two {given[0].kind}s has no meaning"
    advice = "write a || b" if given[0].kind == "string" and given.name == "+" else ""
    return Problem(message, given.at, advice)


def _folded(given: Arguments, operation: Operation) -> Typed | None:
    """Numbers that are written out are computed as they are written: 0.1 + 0.2 is 0.3."""
    values = [part.constant for part in given.parts]
    if any(isinstance(v, bool) or not isinstance(v, int | Decimal) for v in values):
        return None
    return literal(operation(*values), given.at, given.shown)


def _arithmetic(sign: str, operation: Operation) -> Callable[[Arguments], Typed]:
    def build(asked: Arguments) -> Typed:
        moving = _time(asked, sign)
        if moving is not None:
            return moving
        given = _numbers(asked)
        folded = _folded(given, operation)
        if folded is not None:
            return folded
        kinds = {part.kind for part in given.parts}
        if kinds == {"integer"}:
            return _integers(given, sign, operation)
        if _is_float(given.parts):
            left, right = (as_float(part).value for part in given.parts)
            return given.gives(operation(left, right), FLOAT)
        return _decimal(given, sign, operation)

    return build


def _integers(given: Arguments, sign: str, operation: Operation) -> Typed:
    """In 64 bits, with what wrapped told exactly.

    A sum by its sign; a product is then wrong by 2**64 or more, which rounding of floats cannot be.
    """
    left, right = (as_integer(part) for part in given.parts)
    a, b = left.value, right.value
    result = operation(a, b)
    if sign == "+":
        wrapped = ((a ^ result) & (b ^ result)) < 0
    elif sign == "-":
        wrapped = ((a ^ b) & (a ^ result)) < 0
    else:
        about = a.cast(FLOAT) * b.cast(FLOAT)
        wrapped = (about - result.cast(FLOAT)).abs() > 2.0**62
    within = computed(sign, left.within, right.within)
    fault = replace(given.fault(wrapped, "integer overflow"), never=always_in(within))
    return replace(made(result, INTEGER, (left, right), given.at, fault), within=within)


def _is_float(parts: tuple[Typed, ...]) -> bool:
    if any(part.kind == "float" and not part.loose for part in parts):
        return True
    return not any(part.kind == "decimal" for part in parts)


def _decimal(given: Arguments, sign: str, operation: Operation) -> Typed:
    """Exact: sums keep the finer scale, products have as many digits behind the point as both."""
    parts = [exact(part) for part in given.parts]
    scales = [part.dtype.scale for part in parts if isinstance(part.dtype, pl.Decimal)]
    scale = sum(scales) if sign == "*" else max(scales)
    if scale > 38:
        message = f"{given.shown} has {scale} digits behind the point, more than 38"
        raise Problem(message, given.at, "cast to decimals of fewer digits")
    finer = [rescaled(part, scale) for part in parts]
    within = computed(sign, *(part.within for part in (parts if sign == "*" else finer)))
    about = operation(finer[0].value.cast(FLOAT), finer[1].value.cast(FLOAT)).abs()
    fits = about < 10.0 ** (38 - scale) * (1 - 1e-14)
    inside = pl.when(fits).then(finer[0].value)
    value = operation(inside, finer[1].value).cast(pl.Decimal(38, scale))
    never = always_in(within, -(10**37), 10**37)
    fault = replace(given.fault(~fits, "decimal overflow"), never=never)
    found = made(value, pl.Decimal(38, scale), finer, given.at, fault)
    return replace(found, within=within)


def _time(given: Arguments, sign: str) -> Typed | None:
    if sign == "*":
        return None
    left, right = given.parts
    if right.kind == "interval" and left.kind in (*TIMES, "time"):
        return shifted(given, left, right, -1 if sign == "-" else 1)
    if left.kind == "interval" and right.kind in TIMES and sign == "+":
        return shifted(given, right, left, 1)
    if left.kind == "date" and right.kind == "integer":
        return moved(given, -1 if sign == "-" else 1)
    if sign == "-" and left.kind in TIMES and right.kind in TIMES:
        return date_minus(given)
    return None


def _divide(asked: Arguments) -> Typed:
    given = _numbers(asked)
    left, right = (as_float(part).value for part in given.parts)
    return given.gives(quotient(left, right), FLOAT)


def _whole(given: Arguments) -> None:
    if any(part.kind != "integer" for part in given.parts):
        message = f"{given.name} is for whole numbers"
        raise Problem(message, given.at, "write trunc(a / b)")


def _by_zero(given: Arguments, left: pl.Expr, right: pl.Expr) -> Fault:
    return given.fault((right == 0) & left.is_not_null(), "division by zero")


def _quotient(asked: Arguments) -> Typed:
    """Toward zero, as SQL: -7 // 2 is -3."""
    given = _numbers(asked)
    _whole(given)
    left, right = wide(given[0]), wide(given[1])
    quotient = left.abs() // right.abs()
    signed = pl.when((left < 0) != (right < 0)).then(opposite(quotient)).otherwise(quotient)
    found = narrow(given, pl.when(right != 0).then(signed))
    return replace(found, faults=(*found.faults, _by_zero(given, left, right)))


def _modulo(asked: Arguments) -> Typed:
    """The rest has the sign of the dividend, as SQL: -7 % 2 is -1."""
    given = _numbers(asked)
    if all(part.kind == "integer" for part in given.parts):
        left, right = wide(given[0]), wide(given[1])
        rest = left.abs() % pl.when(right != 0).then(right.abs())
        value = pl.when(left < 0).then(opposite(rest)).otherwise(rest).cast(INTEGER, strict=False)
        return given.gives(value, INTEGER, _by_zero(given, left, right))
    if _is_float(given.parts):
        left, right = (as_float(part).value for part in given.parts)
        return given.gives(_float_rest(left, right), FLOAT)
    return _decimal_modulo(given)


def _float_rest(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """C's fmod, which is exact; Polars subtracts a rounded product."""

    def fmod(both: pl.Series) -> pl.Series:
        import numpy as np  # a third of the start of `raystream validate`

        a, b = both.struct.field("a"), both.struct.field("b")
        with np.errstate(invalid="ignore"):
            rest = np.fmod(a.fill_null(0.0).to_numpy(), b.fill_null(1.0).to_numpy())
        return pl.Series(both.name, rest, FLOAT).set(a.is_null() | b.is_null(), None)

    both = pl.struct(left.alias("a"), right.alias("b"))
    return both.map_batches(fmod, return_dtype=FLOAT, is_elementwise=True)


def _decimal_modulo(given: Arguments) -> Typed:
    parts = [exact(part) for part in given.parts]
    scale = max(p.dtype.scale for p in parts if isinstance(p.dtype, pl.Decimal))
    left, right = (rescaled(part, scale) for part in parts)
    rest = left.value.abs() % pl.when(right.value != 0).then(right.value.abs())
    value = pl.when(left.value < 0).then(-rest).otherwise(rest).cast(pl.Decimal(38, scale))
    zero = _by_zero(given, left.value, right.value)
    return made(value, pl.Decimal(38, scale), [left, right], given.at, zero)


def _negative(given: Arguments) -> Typed:
    part = given[0]
    if part.kind == "integer":
        return narrow(given, opposite(wide(part)))
    if isinstance(part.constant, Decimal):
        return literal(-part.constant, given.at)
    if part.dtype == pl.Float32():
        part = as_float(part)
    return given.gives(-part.value, part.dtype)


def _positive(given: Arguments) -> Typed:
    return given[0]


GROUP = "Arithmetic"
FUNCTIONS = (
    Function(GROUP, "+", "any any", "Sum. Whole numbers: 64 bits or an error; decimals: exact, the finer scale; with a float: a float. A time and an interval: that much later; a date and n: n days later.", _arithmetic("+", operator.add), shown="a + b", differs="A number with a point that is written out (`2.0`) is a float beside whole numbers and floats, not a decimal. Narrow integers give 64 bits."),
    Function(GROUP, "-", "any any", "Difference, as `+`. Two dates: days; two timestamps: an interval.", _arithmetic("-", operator.sub), shown="a - b"),
    Function(GROUP, "*", "any any", "Product, as `+`; decimals have as many digits behind the point as both together.", _arithmetic("*", operator.mul), shown="a * b"),
    Function(GROUP, "/", "any any", "Quotient, always a float by IEEE 754: `1 / 2` is 0.5, `1 / 0` is infinity, `0 / 0` is NaN (which is not null).", _divide, shown="a / b"),
    Function(GROUP, "//", "any any", "Whole quotient of whole numbers, toward zero: `-7 // 2` is -3. By zero: an error.", _quotient, also=("div",), shown="a // b"),
    Function(GROUP, "%", "any any", "Rest, with the sign of a: `-7 % 2` is -1. By zero: an error; of floats NaN.", _modulo, also=("mod",), shown="a % b"),
    Function(GROUP, "negative", "number", "The number with the other sign.", _negative, shown="-a"),
    Function(GROUP, "positive", "number", "The number itself.", _positive, shown="+a"),
)  # fmt: skip
