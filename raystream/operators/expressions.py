"""What the user wrote to Polars expressions: SQL text or pl.Expr, checked against the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.schema import no_column
from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled


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
    return compiled(written, columns).value


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
