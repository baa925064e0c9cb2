"""The one form of a key: equal keys are the same bytes, for the hash and in the message key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl


def canonical_type(dtype: pl.DataType) -> pl.DataType:
    """Type of a column as a key: categories are text, for their numbers are those of a process.

    >>> canonical_type(pl.Categorical()), canonical_type(pl.List(pl.Enum(["a"])))
    (String, List(String))
    """
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(canonical_type(_instance(dtype.inner)))
    if isinstance(dtype, pl.Array):
        return pl.Array(canonical_type(_instance(dtype.inner)), dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct({f.name: canonical_type(_instance(f.dtype)) for f in dtype.fields})
    return dtype


def is_canonical(dtype: pl.DataType) -> bool:
    """Whether all values of a type are in the one form, those inside it too."""
    if isinstance(dtype, pl.List | pl.Array):
        return is_canonical(_instance(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return all(is_canonical(_instance(field.dtype)) for field in dtype.fields)
    return not dtype.is_float() and not isinstance(dtype, pl.Categorical | pl.Enum)


def canonical(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The same rows with keys in the one form: -0.0 is 0.0, also within objects and lists.

    >>> frame = pl.DataFrame({"k": [-0.0, 1.5], "o": [{"x": [-0.0]}, None]})
    >>> canonical(frame, ["k", "o"]).rows()
    [(0.0, {'x': [0.0]}), (1.5, None)]
    """
    others = [name for name in keys if not is_canonical(frame.schema[name])]
    if not others:
        return frame
    return frame.with_columns(
        _in_one_form(pl.col(name), frame.schema[name]).alias(name) for name in others
    )


def _in_one_form(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if is_canonical(dtype):
        return value
    if isinstance(dtype, pl.List):
        return value.list.eval(_in_one_form(pl.element(), _instance(dtype.inner)))
    if isinstance(dtype, pl.Array):
        return value.arr.eval(_in_one_form(pl.element(), _instance(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return _fields(value, dtype)
    if not dtype.is_float():
        return value.cast(pl.String)
    zero = pl.lit(0, dtype)  # adding it would do, but Polars takes that for nothing
    return pl.when(value == 0).then(zero).otherwise(value)


def _fields(value: pl.Expr, dtype: pl.Struct) -> pl.Expr:
    made = [
        _in_one_form(value.struct.field(field.name), _instance(field.dtype)).alias(field.name)
        for field in dtype.fields
    ]
    return pl.when(value.is_not_null()).then(pl.struct(made))


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
