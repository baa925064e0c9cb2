"""Rows made from a schema: something to call a function with where nothing can be read."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import polars as pl

from raystream.data.schema import Schema

_MOMENT = datetime.datetime(2024, 5, 1, 12, 0, tzinfo=datetime.UTC)


def made_rows(schema: Schema) -> pl.DataFrame:
    """One row with a plain value in every column.

    >>> made_rows(Schema.of({"n": "int", "s": "string", "x": float})).to_dicts()
    [{'n': 1, 's': 'a', 'x': 1.5}]
    """
    columns = [
        pl.Series(name, [made_value(dtype)], dtype) for name, dtype in schema.columns.items()
    ]
    return pl.DataFrame(columns)


def made_value(dtype: pl.DataType) -> Any:
    """A plain value of a type; None where there is none."""
    if isinstance(dtype, pl.List):
        return [made_value(_instance(dtype.inner))]
    if isinstance(dtype, pl.Struct):
        return {field.name: made_value(_instance(field.dtype)) for field in dtype.fields}
    if isinstance(dtype, pl.Datetime):
        return _MOMENT if dtype.time_zone is not None else _MOMENT.replace(tzinfo=None)
    if dtype.is_integer():
        return 1
    if dtype.is_float():
        return 1.5
    return next((value for kind, value in _PLAIN if isinstance(dtype, kind)), None)


_PLAIN: tuple[tuple[type[pl.DataType], Any], ...] = (
    (pl.String, "a"),
    (pl.Boolean, True),
    (pl.Binary, b"a"),
    (pl.Decimal, decimal.Decimal(1)),
    (pl.Date, _MOMENT.date()),
    (pl.Time, datetime.time(12)),
    (pl.Duration, datetime.timedelta(seconds=1)),
)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
