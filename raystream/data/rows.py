"""Dict rows to columns of a schema and back; a row that does not fit is named with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import polars as pl

from raystream.data.decimals import exact, holds_decimals
from raystream.data.schema import Schema
from raystream.data.values import FOREIGN, are_as_read, as_plain, fits, kinds_fit, kinds_of, shown

Row = Mapping[str, Any]

_WHOLE = (int, type(None))

MISFITS = FOREIGN
"""What is raised where a value is not of the type of its column: anything, of foreign values."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Row number `index` does not fit, because of `reason`."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """Frame of the rows that fit, in order, and the others (sorted by index).

    Args:
        frame: The rows that fit.
        misfits: The others.
        as_read: `to_rows(frame)` would give the very rows that `to_frame` was given.
    """

    frame: pl.DataFrame
    misfits: tuple[Misfit, ...] = ()
    as_read: bool = False


_WIDEST = 200
"""Columns up to which a function is made for the width; Python compiles it in milliseconds."""


def to_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dicts.

    >>> to_rows(pl.DataFrame({"n": [1, 2], "s": ["a", None]}))
    [{'n': 1, 's': 'a'}, {'n': 2, 's': None}]
    """
    if not 0 < frame.width <= _WIDEST:
        return frame.to_dicts()
    columns = [column.to_list() for column in frame.get_columns()]
    return _dicts_of(frame.width)(columns, *frame.columns)


@lru_cache(maxsize=_WIDEST)
def _dicts_of(width: int) -> Callable[..., list[dict[str, Any]]]:
    """Lists of columns and their names to dicts, in half the time of `to_dicts` of Polars."""
    keys, values = ([f"{kind}{n}" for n in range(width)] for kind in "kv")
    pairs = ",".join(map(":".join, zip(keys, values, strict=True)))
    made = f"lambda c,{','.join(keys)}:[{{{pairs}}} for {','.join(values)}, in zip(*c)]"
    found: Callable[..., list[dict[str, Any]]] = eval(made)  # of a number alone, no name is in it
    return found


def to_frame(rows: Sequence[Row], schema: Schema) -> Fitted:
    """Rows as columns of `schema`. A column that a row leaves out is null.

    A row misfits if it has a column that the schema lacks, a value of another type (see
    data.values: no value changes), or a null where the schema says not null.

    >>> to_frame([{"n": 1}, {"n": "x"}], Schema.of({"n": "int"})).misfits
    (Misfit(index=1, reason="column 'n': 'x' is not Int64"),)
    """
    columns, complete = _columns(rows, schema.columns.keys())
    if columns is not None:
        types = schema.columns.values()
        kinds = [kinds_of(values) for values in columns]
        if all(map(kinds_fit, kinds, columns, types)):
            frame = columns_to_frame(schema, columns)
            if frame is not None and not missing_required(frame, schema):
                return Fitted(frame, as_read=complete and all(map(are_as_read, kinds, types)))
    return _row_by_row(rows, schema)


def _columns(rows: Sequence[Row], names: Any) -> tuple[list[list[Any]] | None, bool]:
    """Values of each column, and whether every row has every one; None: a row has another."""
    if rows and max(map(len, rows)) == len(names):
        try:
            return [[row[name] for row in rows] for name in names], True
        except KeyError:  # one that a row leaves out is null
            pass
    if not all(row.keys() <= names for row in rows):
        return None, False
    return [[row.get(name) for row in rows] for name in names], False


def columns_to_frame(schema: Schema, columns: Sequence[Sequence[Any]]) -> pl.DataFrame | None:
    """Frame of lists of values, one list per column; None if a value does not fit."""
    try:
        series = [
            _column(name, values, dtype)
            for (name, dtype), values in zip(schema.columns.items(), columns, strict=True)
        ]
    except MISFITS:
        return None
    return pl.DataFrame({column.name: column for column in series})  # a list renames ``


def _column(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    try:
        return column_of(name, values, dtype)
    except MISFITS:  # dates among datetimes, arrays of numpy among lists
        return column_of(name, [as_plain(value, dtype) for value in values], dtype)


def column_of(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Values of one type as a column; none is changed.

    Raises:
        Exception, PanicException: one does not fit; of foreign values anything is raised.
    """
    if holds_decimals(dtype):
        values = exact(values, dtype)
    column = pl.Series(name, values, dtype, strict=True)
    if column.dtype != dtype:  # where Polars finds fields of its own in an object
        what = f"values of {column.dtype}, not {dtype}"
        raise TypeError(what)
    if dtype == pl.Float32 and column.is_infinite().any():
        wide = pl.Series(name, values, pl.Float64, strict=True)
        if (column.is_infinite() & wide.is_finite()).any():
            what = "a number beyond Float32"
            raise OverflowError(what)
    return column


def fit_values(
    name: str, values: Sequence[Any], dtype: pl.DataType
) -> tuple[pl.Series | None, dict[int, str]]:
    """Values as a column, or the indexes of those that are none of this type, and why.

    >>> fit_values("k", [1, 2**70], pl.Int64())[1]
    {1: '1180591620717411303424 is not Int64'}
    """
    if kinds_fit(kinds_of(values), values, dtype):
        try:
            return _column(name, values, dtype), {}
        except MISFITS:
            pass
    bad = {
        index: f"{shown(value)} is not {dtype}"
        for index, value in enumerate(values)
        if value is not None and not fits(value, dtype)
    }
    if not bad:
        what = f"{name}: values that are each {dtype}, but not together"
        raise TypeError(what)
    return None, bad


def misfits(values: Sequence[Any], dtype: pl.DataType) -> list[int]:
    """Indexes of the values that are none of this type, found by halving.

    >>> misfits([1, 2**63, None, 3], pl.Int64())
    [1]
    """
    if dtype.is_integer() and all(type(value) in _WHOLE for value in values):
        kind: Any = dtype
        low, high = pl.select(kind.min().alias("low"), kind.max().alias("high")).row(0)
        return [n for n, v in enumerate(values) if v is not None and not low <= v <= high]
    try:
        column_of("", values, dtype)
    except MISFITS:
        if len(values) == 1:
            return [0]
        middle = len(values) // 2
        behind = misfits(values[middle:], dtype)
        return [*misfits(values[:middle], dtype), *(middle + index for index in behind)]
    return []


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
        if value is not None and not fits(value, dtype):
            return not_of_type(name, value, dtype)
    return None


def not_of_type(name: str, value: Any, dtype: pl.DataType) -> str:
    """The reason of a value that does not fit.

    >>> not_of_type("n", "x", pl.Int64())
    "column 'n': 'x' is not Int64"
    """
    return f"column {name!r}: {shown(value)} is not {dtype}"


def _row_by_row(rows: Sequence[Row], schema: Schema) -> Fitted:
    reasons = [misfit_reason(row, schema) for row in rows]
    good = [row for row, reason in zip(rows, reasons, strict=True) if reason is None]
    frame = columns_to_frame(schema, [[row.get(n) for row in good] for n in schema.columns])
    if frame is None:
        what = f"values of one column have different types: {schema.columns}"
        raise TypeError(what)
    bad = tuple(Misfit(i, reason) for i, reason in enumerate(reasons) if reason is not None)
    return Fitted(frame, bad)
