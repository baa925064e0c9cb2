"""Dict rows to columns of a schema and back; a row that does not fit is named with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.data.schema import Schema

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Misfit:
    """Row number `index` does not fit, because of `reason`."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """Frame of the rows that fit, in order, and the others (sorted by index)."""

    frame: pl.DataFrame
    misfits: tuple[Misfit, ...] = ()


def to_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts."""
    return frame.to_dicts()


def to_frame(rows: Sequence[Row], schema: Schema) -> Fitted:
    """Rows as columns of `schema`. A column that a row leaves out is null.

    A row misfits if it has a column that the schema lacks, a value of another type (an int fits a
    float column, nothing else is converted), or a null where the schema says not null.

    >>> to_frame([{"n": 1}, {"n": "x"}], Schema.of({"n": "int"})).misfits
    (Misfit(index=1, reason="column 'n': 'x' is not Int64"),)
    """
    known = schema.columns.keys()
    if all(row.keys() <= known for row in rows):
        frame = columns_to_frame(schema, [[row.get(n) for row in rows] for n in schema.columns])
        if frame is not None and not missing_required(frame, schema):
            return Fitted(frame)
    return _row_by_row(rows, schema)


def columns_to_frame(schema: Schema, columns: Sequence[Sequence[Any]]) -> pl.DataFrame | None:
    """Frame of lists of values, one list per column; None if a value does not fit."""
    try:
        series = [
            pl.Series(name, values, dtype, strict=True)
            for (name, dtype), values in zip(schema.columns.items(), columns, strict=True)
        ]
    except (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError):
        return None
    return pl.DataFrame(series)


def missing_required(frame: pl.DataFrame, schema: Schema) -> bool:
    """Whether a column declared not null has a null."""
    return any(frame.get_column(name).null_count() for name in schema.required)


def misfit_reason(row: Row, schema: Schema) -> str | None:
    """Why this row does not fit; None if it does."""
    for name in row:
        if name not in schema.columns:
            return f"column {name!r} is not in the schema"
    for name, dtype in schema.columns.items():
        value = row.get(name)
        if value is None and name in schema.required:
            return f"column {name!r} is null"
        if value is not None and not _fits(value, dtype):
            return f"column {name!r}: {_short(value)} is not {dtype}"
    return None


def _row_by_row(rows: Sequence[Row], schema: Schema) -> Fitted:
    reasons = [misfit_reason(row, schema) for row in rows]
    good = [row for row, reason in zip(rows, reasons, strict=True) if reason is None]
    frame = columns_to_frame(schema, [[row.get(n) for row in good] for n in schema.columns])
    if frame is None:
        what = f"values of one column have different types: {schema.columns}"
        raise TypeError(what)
    bad = tuple(Misfit(i, reason) for i, reason in enumerate(reasons) if reason is not None)
    return Fitted(frame, bad)


def _fits(value: Any, dtype: pl.DataType) -> bool:
    if isinstance(value, bool) and dtype.is_numeric():
        return False
    try:
        pl.Series([value], dtype=dtype, strict=True)
    except (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError):
        return False
    return True


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
