"""Values of key and header columns as text: different values never get the same text."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from raystream.data.fit import holds_ns
from raystream.formats import text_types
from raystream.formats.not_finite import not_finite
from raystream.formats.timestamps import written

_PER_US = 1000


def text_of(column: pl.Series) -> pl.Series:
    """Text of each value of a column that is neither bytes nor nested.

    Raises:
        DataError: a time so far away that it has no text.
    """
    if isinstance(column.dtype, pl.Duration | pl.Time):  # Polars has no text, or cuts digits off
        return written(lambda value: text_types.write(value, column.dtype), column)
    if isinstance(column.dtype, pl.Datetime | pl.Date):
        return written(lambda value: text_types.near(value, column.dtype).cast(pl.String), column)
    return column.cast(pl.String)


def values_of(column: pl.Series) -> list[Any]:
    """The values for a JSON array, which has no NaN, and Python's times no nanoseconds.

    Raises:
        DataError: a time so far away that it has no text.
    """
    if not_finite(column):
        return [_finite(value) for value in column.to_list()]
    if isinstance(column.dtype, pl.Datetime | pl.Date):
        text_of(column)
    values = column.to_list()
    if holds_ns(column.dtype) and not column.dtype.is_nested():
        finer = (column.to_physical() % _PER_US != 0).fill_null(value=False)
        if finer.any():
            texts = text_of(column)
            return [text if odd else v for v, text, odd in zip(values, texts, finer, strict=True)]
    return values


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value
