"""Decimals into a column of fixed digits: exactly, or not at all. Polars itself cuts digits off."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

import polars as pl

from raystream.data.nested import holds


def holds_decimals(dtype: pl.DataType) -> bool:
    """Whether a value of this type is, or holds, a decimal."""
    return holds(dtype, lambda kind: isinstance(kind, pl.Decimal))


def exact(values: Sequence[Any], dtype: pl.DataType) -> Sequence[Any]:
    """The same values with the digits of `dtype`.

    Args:
        values: Decimals, whole numbers and None, or lists and dicts of them.
        dtype: A type for which `holds_decimals`.

    Raises:
        ValueError: a value has more digits than the type, or is not a number.

    >>> exact([Decimal("1.5"), 2, None], pl.Decimal(18, 2))
    [Decimal('1.50'), Decimal('2.00'), None]
    """
    if isinstance(dtype, pl.Decimal):
        return _quantized(values, dtype)
    return [None if value is None else _inside(value, dtype) for value in values]


def _inside(value: Any, dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.List):
        return exact(value, _instance(dtype.inner))
    assert isinstance(dtype, pl.Struct)
    kinds = {field.name: _instance(field.dtype) for field in dtype.fields}
    inside = {name for name, kind in kinds.items() if holds_decimals(kind)}
    return {
        name: exact([item], kinds[name])[0] if name in inside else item
        for name, item in value.items()
    }


def _quantized(values: Sequence[Any], dtype: pl.Decimal) -> list[Decimal | None]:
    unit = Decimal(1).scaleb(-dtype.scale)
    quantize = Context(prec=dtype.precision or 38, traps=[Inexact, InvalidOperation]).quantize
    try:
        numbers = [None if value is None else quantize(_number(value), unit) for value in values]
    except (ArithmeticError, TypeError) as error:
        what = f"not a number of {dtype}"
        raise ValueError(what) from error
    if any(number is not None and number.is_nan() for number in numbers):
        what = "NaN is not a decimal"
        raise ValueError(what)
    return numbers


def _number(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    what = f"{type(value).__name__} is not a decimal"
    raise TypeError(what)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
