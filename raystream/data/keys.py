"""The one form of a key: equal keys are the same bytes, for the hash and in the message key."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def canonical_type(dtype: pl.DataType) -> pl.DataType:
    """Type of a column as a key: categories are text, for their numbers are those of a process.

    >>> canonical_type(pl.Categorical()), canonical_type(pl.Float64())
    (String, Float64)
    """
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def is_canonical(dtype: pl.DataType) -> bool:
    """Whether all values of a type are in the one form."""
    return not dtype.is_float() and canonical_type(dtype) == dtype


def canonical(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The same rows with keys in the one form: -0.0 is 0.0.

    >>> canonical(pl.DataFrame({"k": [-0.0, 1.5]}), ["k"])["k"].to_list()
    [0.0, 1.5]
    """
    others = [name for name in keys if not is_canonical(frame.schema[name])]
    return frame.with_columns(_canonical(name, frame.schema[name]) for name in others)


def _canonical(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if not dtype.is_float():
        return column.cast(pl.String)
    zero = pl.lit(0, dtype)  # adding it would do, but Polars takes that for nothing
    return pl.when(column == 0).then(zero).otherwise(column).alias(name)
