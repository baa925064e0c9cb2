"""Shared by operators with expressions: column checks, errors, hidden columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.schema import no_column
from raystream.errors import ConfigurationError
from raystream.expressions.compiled import Compiled, compiled


def check_columns(names: list[str], columns: Mapping[str, pl.DataType]) -> None:
    """Raise for the first name that is not a column.

    Raises:
        ConfigurationError: with the nearest name that exists.
    """
    for name in names:
        if name not in columns and name not in {"*", ""} and not name.startswith("^"):
            raise no_column(name, columns)


@contextmanager
def naming(verb: str) -> Iterator[None]:
    """Add what an expression is for to its error, unless a column does not exist."""
    try:
        yield
    except ConfigurationError as error:
        if not error.what.startswith(("no column", f"{verb}: ")):
            error.what = f"{verb}: {error.what}"
            raise error.placed(error.where) from None
        raise


def condition(written: Any, columns: Mapping[str, pl.DataType], what: str) -> Compiled:
    """A condition, compiled.

    Args:
        written: SQL text or rs.col expression.
        columns: Columns that exist, with their types.
        what: What it is for: `filter`.

    Raises:
        ConfigurationError: it names a missing column, or is not boolean.
    """
    with naming(what):
        found = compiled(written, columns)
    if found.dtype != pl.Boolean:
        text = f"{what}: the condition is {found.dtype}, not true or false"
        raise ConfigurationError(text, what_to_do="write a comparison")
    return found


@contextmanager
def configuration_errors(verb: str) -> Iterator[None]:
    """Turn Polars errors about an expression into a ConfigurationError of one line."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        what = f"{verb}: {str(error).splitlines()[0]}"
        raise ConfigurationError(what, what_to_do="check types and columns") from error


def split_hidden(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split into the user's columns and the hidden ones."""
    hidden = [name for name in frame.columns if name.startswith(HIDDEN)]
    return frame.drop(hidden), frame.select(hidden)


def join_hidden(user: pl.DataFrame, hidden: pl.DataFrame) -> pl.DataFrame:
    """Join both again, row by row."""
    return user.hstack(hidden.get_columns()) if hidden.width else user
