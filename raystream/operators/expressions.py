"""What the user wrote to Polars expressions: SQL text or pl.Expr, checked against the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.schema import no_column
from raystream.errors import ConfigurationError


def compile_expression(written: Any, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    """A Polars expression of SQL text or of an expression.

    Text that is exactly a column's name is that column, whatever SQL thinks of the word. A decimal
    of SQL (`2.0`) becomes a float.

    Args:
        written: SQL text or pl.Expr.
        columns: Columns that exist, with their types.

    Raises:
        ConfigurationError: the text is no SQL, or names a column that does not exist.

    >>> str(compile_expression("status >= 500", {"status": pl.Int64()}))
    '[(col("status")) >= (dyn int: 500)]'
    """
    if not isinstance(written, str):
        expression = written
    elif written in columns:
        return pl.col(written)
    else:
        expression = _sql(written, columns)
    if not isinstance(expression, pl.Expr):
        what = f"{written!r} is no expression"
        raise ConfigurationError(what, what_to_do="write SQL text or rs.col(...)")
    check_columns(expression.meta.root_names(), columns)
    _check_row_by_row(expression, written, columns)
    return _without_decimal(expression, columns) if isinstance(written, str) else expression


def check_columns(names: list[str], columns: Mapping[str, pl.DataType]) -> None:
    """Raise for the first name that is no column.

    Raises:
        ConfigurationError: with the nearest name that exists.
    """
    for name in names:
        if name not in columns and name not in {"*", ""} and not name.startswith("^"):
            raise no_column(name, columns)


@contextmanager
def configuration_errors(verb: str) -> Iterator[None]:
    """Turn what Polars says about an expression into a ConfigurationError of one line."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        what = f"{verb}: {str(error).splitlines()[0]}"
        raise ConfigurationError(what, what_to_do="check types and columns") from error


def split_hidden(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The user's columns and the hidden ones."""
    hidden = [name for name in frame.columns if name.startswith(HIDDEN)]
    return frame.drop(hidden), frame.select(hidden)


def join_hidden(user: pl.DataFrame, hidden: pl.DataFrame) -> pl.DataFrame:
    """Both again, row by row."""
    return user.hstack(hidden.get_columns()) if hidden.width else user


def _check_row_by_row(
    expression: pl.Expr, written: object, columns: Mapping[str, pl.DataType]
) -> None:
    """An expression that makes one value of all rows would depend on how rows were batched."""
    roots = expression.meta.root_names()
    if not roots or any(name not in columns for name in roots):
        return
    try:
        folded = pl.DataFrame(schema=dict(columns)).select(expression).height
    except pl.exceptions.PolarsError:
        return  # wrong types are told with the verb, by who uses the expression
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


def _without_decimal(expression: pl.Expr, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    with configuration_errors("SQL"):
        dtype = pl.LazyFrame(schema=columns).select(expression.alias("x")).collect_schema()["x"]
    return expression.cast(pl.Float64) if isinstance(dtype, pl.Decimal) else expression
