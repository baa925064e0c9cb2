"""Columns as the headers of a record: one header each, or the whole list that was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

from raystream.connectors.kafka.key_texts import text_of, values_of
from raystream.connectors.kafka.message_columns import HEADERS
from raystream.errors import ConfigurationError

Headers = list[tuple[str, str | bytes | None]]


def check_headers(names: Sequence[str], columns: Mapping[str, pl.DataType]) -> None:
    """Refuse names that are not columns.

    Args:
        names: Columns that become headers.
        columns: Of the rows.

    Raises:
        ConfigurationError: a name is not a column.
    """
    for name in names:
        if name not in columns:
            what = f"headers: the rows to write have no column {name!r}"
            raise ConfigurationError(what, what_to_do=f"columns: {', '.join(columns)}")


def headers_of(frame: pl.DataFrame, names: Sequence[str]) -> list[Headers]:
    """The headers of each row, in the order of the columns.

    A column of headers as they were read (`metadata=["headers"]`) gives all of them; bytes are
    unchanged, null is a header without a value, anything else is written as text.
    """
    parts = [_column(frame.get_column(name)) for name in names]
    return [[one for part in row for one in part] for row in zip(*parts, strict=True)]


def _column(column: pl.Series) -> list[Headers]:
    name = column.name
    if column.dtype == HEADERS:
        return [[(h["name"], h["value"]) for h in row or ()] for row in column.to_list()]
    if column.dtype.is_nested():
        return [
            [(name, None if value is None else msgspec.json.encode(value))]
            for value in values_of(column)
        ]
    text = column if column.dtype == pl.Binary else text_of(column)
    return [[(name, value)] for value in text.to_list()]
