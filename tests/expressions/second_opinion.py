"""The same expression in DuckDB and here, over the same rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl

from raystream.expressions.compiled import compiled

ERROR = "error"
"""What a row is that cannot be computed."""

Columns = Mapping[str, Sequence[Any]]
_SQL_TYPES: Mapping[type[pl.DataType], str] = {
    pl.Int64: "BIGINT",
    pl.Int32: "INTEGER",
    pl.UInt64: "UBIGINT",
    pl.Float64: "DOUBLE",
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP",
}


def sql_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision},{dtype.scale})"
    return _SQL_TYPES[type(dtype)]


class DuckDB:
    """Rows in a table, and each expression row by row: one row's error is not another's."""

    def __init__(self, schema: Mapping[str, pl.DataType], rows: Sequence[Sequence[Any]]) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        columns = ", ".join(f"{name} {sql_type(dtype)}" for name, dtype in schema.items())
        self._connection.execute(f"create table t (number integer, {columns})")
        marks = ", ".join("?" for _ in range(len(schema) + 1))
        numbered = [[number, *row] for number, row in enumerate(rows)]
        self._connection.executemany(f"insert into t values ({marks})", numbered)
        self._height = len(rows)

    def evaluate(self, sql: str) -> list[Any]:
        try:
            found = self._connection.execute(f"select {sql} from t order by number").fetchall()
            return [plain(value) for (value,) in found]
        except (
            duckdb.OutOfRangeException,
            duckdb.ConversionException,
            duckdb.InvalidInputException,
        ):
            return self._by_row(sql)

    def _by_row(self, sql: str) -> list[Any]:
        tried = self._connection.execute(f"select try({sql}) from t order by number").fetchall()
        return [
            self._one(sql, number) if value is None else plain(value)
            for number, (value,) in enumerate(tried)
        ]

    def _one(self, sql: str, number: int) -> Any:
        try:
            query = f"select {sql} from t where number = {number}"
            [(value,)] = self._connection.execute(query).fetchall()
            return plain(value)
        except (
            duckdb.OutOfRangeException,
            duckdb.ConversionException,
            duckdb.InvalidInputException,
        ):
            return ERROR


def ours(text: str, schema: Mapping[str, pl.DataType], rows: Sequence[Sequence[Any]]) -> list[Any]:
    """The values here, ERROR where the row has a reason."""
    frame = pl.DataFrame(rows, schema=dict(schema), orient="row")
    found = compiled(text, frame.schema)
    made = frame.with_columns(found.value.alias("value"))
    assert made.height == frame.height
    assert made["value"].dtype == found.dtype, (text, made["value"].dtype, found.dtype)
    if found.error is None:
        return [plain(value) for value in made["value"]]
    reasons = frame.with_columns(found.error.alias("error"))["error"]
    pairs = zip(made["value"], reasons, strict=True)
    return [plain(value) if reason is None else ERROR for value, reason in pairs]


def plain(value: Any) -> Any:
    """Numbers that are equal look equal; NaN equals itself."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, pl.Series):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return float(value) if value != value.to_integral_value() else int(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def same(one: Any, other: Any) -> bool:
    """Equal; floats to 12 digits, since libraries of mathematics differ in the last."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        if isinstance(one, bool) != isinstance(other, bool):
            return False
        if isinstance(one, int) and isinstance(other, int):
            return one == other
        return one == other or math.isclose(one, other, rel_tol=1e-12)
    return bool(one == other)
