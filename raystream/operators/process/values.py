"""Values of a state: of the type of its column, and as they would be read from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import isnan
from typing import Any

import polars as pl

from raystream.data.rows import fit_values
from raystream.data.values import shown

_LOW, _HIGH = -(2**63), 2**63
_ABSENT = object()
_NAN = float("nan")
_KINDS: dict[pl.DataType, type] = {
    pl.String(): str,
    pl.Boolean(): bool,
    pl.Float64(): float,
    pl.Binary(): bytes,
}

Check = Callable[[Any], Any]
"""Gives a value as its column gives it back."""


def checked(name: str, dtype: pl.DataType) -> Check:
    """Check the values of a state when they are set, at the user's own line.

    So a result does not depend on where a batch ends: every value is as if read from its column.

    Raises:
        TypeError: (by the check) a value is not of the type.

    >>> checked("total", pl.Float64())(3)
    3.0
    """
    kind = _KINDS.get(dtype)
    whole = dtype == pl.Int64()

    if isinstance(dtype, pl.Struct):
        return _checked_struct(name, dtype)

    def check(value: Any) -> Any:
        if type(value) is kind or (whole and type(value) is int and _LOW <= value < _HIGH):
            return value
        return _slow(name, dtype, value)

    return check


def _checked_struct(name: str, dtype: pl.Struct) -> Check:
    """Fast for dicts of plain values with exactly these fields."""
    kinds = [(each.name, _KINDS.get(_plain(each.dtype))) for each in dtype.fields]
    wholes = {each.name for each in dtype.fields if each.dtype == pl.Int64()}

    def check(value: Any) -> Any:
        if type(value) is not dict or len(value) != len(kinds):
            return _slow(name, dtype, value)
        for field, kind in kinds:
            one = value.get(field, _ABSENT)
            if one is not None and type(one) is not kind:
                if field in wholes and type(one) is int and _LOW <= one < _HIGH:
                    continue
                return _slow(name, dtype, value)
        return {field: value[field] for field, _ in kinds}

    return check


def _plain(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype if isinstance(dtype, pl.DataType) else dtype()
    return found


def _slow(name: str, dtype: pl.DataType, value: Any) -> Any:
    if value is None:
        what = f"state {name!r} holds no None"
        raise TypeError(what)
    column, bad = fit_values(name, [value], dtype)
    if column is None:
        what = f"state {name!r}: {bad[0]}"
        raise TypeError(what)
    found = column.to_list()[0]
    if found is None:
        what = f"state {name!r}: {shown(value)} is not {dtype}"
        raise TypeError(what)
    return found


def is_exact(dtype: pl.DataType) -> Callable[[Any], bool]:
    """Say whether a column of keys of a map holds a value as it is.

    >>> exact = is_exact(pl.Int64())
    >>> exact(3), exact(True), exact(2**70), exact("3")
    (True, False, False, False)
    """
    kind: type | None = {**_KINDS, pl.Date(): date}.get(dtype)
    if dtype == pl.Int64():
        return lambda value: type(value) is int and _LOW <= value < _HIGH
    return lambda value: type(value) is kind


def as_key(value: Any) -> Any:
    """A key of a map: -0.0 is 0.0, and NaN is one key.

    >>> as_key(-0.0), as_key(float("nan")) is as_key(float("nan")), as_key("a")
    (0.0, True, 'a')
    """
    if type(value) is float:
        return _NAN if isnan(value) else value + 0.0
    return value


def as_keys(values: list[Any], dtype: pl.DataType | None) -> list[Any]:
    """The keys of a map, as read from a column."""
    return [as_key(value) for value in values] if dtype is not None and dtype.is_float() else values


def copied(value: Any) -> Any:
    """A copy of a value with lists and dicts in it: changing what was read changes no state."""
    if type(value) is list:
        return [copied(item) for item in value]
    if type(value) is dict:
        return {name: copied(item) for name, item in value.items()}
    return value
