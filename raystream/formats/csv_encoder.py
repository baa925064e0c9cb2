"""Rows to lines of CSV: all at once by Polars, column by column where a text holds a line end."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import polars as pl

from raystream.data.schema import Schema
from raystream.formats import text_types
from raystream.formats.timestamps import written

BOM = "\ufeff"
"""Byte order mark: readers drop it from the beginning of a file, so there it stands in quotes."""


class CsvEncoder:
    """Rows -> lines.

    Args:
        schema: Their columns, all of types that CSV has.
        delimiter: One character.
    """

    def __init__(self, schema: Schema, delimiter: str) -> None:
        self._names = schema.names()
        self._delimiter = delimiter
        self._one_byte = len(delimiter.encode()) == 1

    def encode(self, frame: pl.DataFrame) -> Sequence[bytes]:
        """One payload per row."""
        if not self._names:
            return [b""] * frame.height
        fields = [_written(frame.get_column(name)) for name in self._names]
        numbered = pl.DataFrame([field.alias(str(n)) for n, field in enumerate(fields)])
        lines = [] if self._marked(numbered) or not self._one_byte else self._at_once(numbered)
        return lines if len(lines) == frame.height else self._by_columns(numbered)

    def _marked(self, frame: pl.DataFrame) -> bool:
        """Whether a line would begin as a file with a byte order mark does."""
        first = frame.get_column("0")
        return first.dtype == pl.String and bool(first.str.starts_with(BOM).any())

    def _at_once(self, frame: pl.DataFrame) -> list[bytes]:
        """As many as there are rows, unless a text holds a line end."""
        text = io.BytesIO()
        frame.write_csv(text, include_header=False, separator=self._delimiter)
        lines = text.getvalue().split(b"\n")
        lines.pop()
        return lines

    def _by_columns(self, frame: pl.DataFrame) -> list[bytes]:
        fields = pl.DataFrame([self._field(column) for column in frame.get_columns()])
        line = pl.concat_str(fields.columns, separator=self._delimiter)
        encoded: list[bytes] = fields.select(line.cast(pl.Binary)).to_series().to_list()
        return encoded

    def _field(self, column: pl.Series) -> pl.Series:
        """Text of each value; null is nothing."""
        text = column.cast(pl.String)
        if not (column.dtype == pl.String or isinstance(column.dtype, pl.Categorical | pl.Enum)):
            return text.fill_null("")
        special = "[" + re.escape('"\r\n' + self._delimiter) + "]"
        quoted = pl.concat_str(pl.lit('"'), pl.col("v").str.replace_all('"', '""'), pl.lit('"'))
        wanted = pl.col("v").str.contains(f"{special}|^{BOM}") | (pl.col("v") == "")
        return text_types.applied(
            lambda value: pl.when(wanted).then(quoted).otherwise(value).fill_null(""), text
        )


def _written(column: pl.Series) -> pl.Series:
    if not text_types.is_text(column.dtype):
        return column
    return written(lambda value: text_types.write(value, column.dtype), column)
