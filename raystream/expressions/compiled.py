"""What the user wrote where a value is computed, checked against the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.data.schema import no_column
from raystream.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can run.

    Args:
        value: Never raises for a row; without meaning where `error` is not null.
        dtype: Type of the value.
        reads: Columns it reads.
        constant: It reads no column: one value for all rows.
        error: String, null where the row can be computed, else the reason. None: no row can fail.
    """

    value: pl.Expr
    dtype: pl.DataType
    reads: frozenset[str]
    constant: bool
    error: pl.Expr | None = None


def compiled(written: Any, columns: Mapping[str, pl.DataType]) -> Compiled:
    """An expression, checked: it reads columns that exist, has a type, and looks at its row only.

    Text that is exactly a column's name is that column, whatever SQL thinks of the word.

    Args:
        written: SQL text or pl.Expr.
        columns: Columns that exist, with their types.

    Raises:
        ConfigurationError: it can not be computed; says where in the text.

    >>> found = compiled("status >= 500", {"status": pl.Int64()})
    >>> found.dtype, sorted(found.reads), found.constant
    (Boolean, ['status'], False)
    """
    if not isinstance(written, str):
        expression = written
    elif written in columns:
        return Compiled(pl.col(written), columns[written], frozenset([written]), constant=False)
    else:
        expression = _sql(written, columns)
    if not isinstance(expression, pl.Expr):
        what = f"{written!r} is no expression"
        raise ConfigurationError(what, what_to_do="write SQL text or rs.col(...)")
    reads = frozenset(expression.meta.root_names())
    for name in expression.meta.root_names():
        if name not in columns and name not in {"*", ""} and not name.startswith("^"):
            raise no_column(name, columns)
    _check_row_by_row(expression, written, columns)
    dtype = _type(expression, columns)
    if isinstance(written, str) and isinstance(dtype, pl.Decimal):
        expression, dtype = expression.cast(pl.Float64), pl.Float64()
    return Compiled(expression, dtype, reads, constant=not reads)


def _check_row_by_row(
    expression: pl.Expr, written: object, columns: Mapping[str, pl.DataType]
) -> None:
    """An expression that makes one value of all rows would depend on how rows were batched."""
    if not expression.meta.root_names():
        return
    try:
        folded = pl.DataFrame(schema=dict(columns)).select(expression).height
    except pl.exceptions.PolarsError:
        return  # wrong types are told below
    if folded:
        what = f"{written} makes one value out of all rows"
        raise ConfigurationError(what, what_to_do="aggregate with window(...).agg(...)")


def _sql(text: str, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        if text.isidentifier():
            raise no_column(text, columns) from None
        what = f"{text!r} is not SQL: {str(error).splitlines()[0]}"
        advice = "write an expression like status >= 500"
        raise ConfigurationError(what, what_to_do=advice) from error


def _type(expression: pl.Expr, columns: Mapping[str, pl.DataType]) -> pl.DataType:
    try:
        found = pl.LazyFrame(schema=dict(columns)).select(expression.alias("x")).collect_schema()
    except pl.exceptions.PolarsError as error:
        what = str(error).splitlines()[0]
        raise ConfigurationError(what, what_to_do="check types and columns") from error
    return found["x"]
