"""Columns of one type as columns of another, where no value changes; else why not, row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.data.nested import holds
from raystream.data.values import as_plain, fits, shown


@dataclass(frozen=True, slots=True)
class FittedColumns:
    """A frame of the wanted columns, and why a row does not fit (String; null: it does)."""

    frame: pl.DataFrame
    reasons: pl.Series


def fit_columns(frame: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> FittedColumns:
    """The frame with these columns; a value that would change is null and has a reason.

    Whole floats fit an integer column (a column of integers and nulls comes from pandas so).

    >>> fitted = fit_columns(pl.DataFrame({"n": [3.0, 3.7]}), {"n": pl.Int64()})
    >>> fitted.frame["n"].to_list(), fitted.reasons.to_list()
    ([3, None], [None, "column 'n': 3.7 is not Int64"])
    """
    made: list[pl.Series] = []
    reasons: list[str | None] = [None] * frame.height
    for name in frame.columns:
        if name not in columns:
            reasons = [reason or f"column {name!r} is not in the schema" for reason in reasons]
    for name, dtype in columns.items():
        if name not in frame.columns:
            made.append(pl.Series(name, [None] * frame.height, dtype))
            reasons = [reason or f"there is no column {name!r}" for reason in reasons]
            continue
        column = frame.get_column(name)
        changed = fitted(column, dtype)
        made.append(changed)
        bad = column.is_not_null() & changed.is_null()
        for index in bad.arg_true().to_list() if bad.any() else ():
            text = f"column {name!r}: {shown(column[index])} is not {dtype}"
            reasons[index] = reasons[index] or text
    return FittedColumns(pl.DataFrame(made), pl.Series("reason", reasons, pl.String()))


def fitted(column: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The column in another type, null where a value would change.

    >>> fitted(pl.Series([2000, 2001]).cast(pl.Duration("us")), pl.Duration("ms")).to_list()
    [datetime.timedelta(microseconds=2000), None]
    """
    if column.dtype == dtype:
        return column
    if column.dtype == pl.Null or _is_text(column.dtype, dtype):
        return column.cast(dtype, strict=False)
    if _is_number(column.dtype) and _is_number(dtype) or _is_time(column.dtype, dtype):
        made = column.cast(dtype, strict=False)
        same = made.cast(column.dtype, strict=False).eq_missing(column)
        return made.zip_with(same, pl.Series([None], dtype=dtype).new_from_index(0, len(made)))
    if holds_ns(column.dtype):  # Python has no nanoseconds
        return pl.Series(column.name, [None] * len(column), dtype)
    values = [
        as_plain(value, dtype) if value is not None and fits(value, dtype) else None
        for value in column.to_list()
    ]
    return pl.Series(column.name, values, dtype)


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype.is_float()


def _is_time(was: pl.DataType, dtype: pl.DataType) -> bool:
    """Whether both are spans, or moments, which must both have a zone or none."""
    if isinstance(was, pl.Datetime) and isinstance(dtype, pl.Datetime):
        return (was.time_zone is None) == (dtype.time_zone is None)
    return isinstance(was, pl.Duration) and isinstance(dtype, pl.Duration)


def holds_ns(dtype: Any) -> bool:
    """Whether a type has nanoseconds, at any depth.

    >>> holds_ns(pl.List(pl.Datetime("ns"))), holds_ns(pl.Datetime("us"))
    (True, False)
    """
    return holds(dtype, _is_ns)


def _is_ns(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Array):
        return holds_ns(dtype.inner)
    return dtype == pl.Time or (
        isinstance(dtype, pl.Datetime | pl.Duration) and dtype.time_unit == "ns"
    )


def _is_text(was: pl.DataType, dtype: pl.DataType) -> bool:
    return isinstance(was, pl.Categorical | pl.Enum) and dtype == pl.String
