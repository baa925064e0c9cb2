"""One output file while it is being written."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import polars as pl

from raystream.connectors.columns import nulled_of
from raystream.data.schema import Schema
from raystream.errors import DataError
from raystream.formats.base import Format
from raystream.formats.csv import Csv
from raystream.formats.json import Json

BUFFER = 1 << 20
"""Bytes that wait to be written to a text file."""

SMALL_BUFFER = 1 << 16
"""The same where many files are open."""


class Part(Protocol):
    """A hidden file that takes rows until it is finished or discarded."""

    @property
    def rows(self) -> int:
        """Rows that it has."""
        ...

    @property
    def nulled(self) -> int:
        """Values that were written as null."""
        ...

    def write(self, frame: pl.DataFrame) -> None:
        """Append user columns."""
        ...

    def finish(self, *, sync: bool) -> None:
        """Write everything to the file, close it, and (sync) make it survive a power loss."""
        ...

    def discard(self) -> None:
        """Close and remove it."""
        ...


class TextPart:
    """One record per line; CSV begins with a header line unless its columns are given."""

    def __init__(self, path: Path, form: Format, schema: Schema, *, buffer: int = BUFFER) -> None:
        self.rows = 0
        self.nulled = 0
        self._quotes = isinstance(form, Csv | Json)  # line ends are between quotes, or escaped
        self._path = path
        self._encoder = form.encoder(schema)
        self._buffer = buffer
        self._file = open(path, "xb", buffering=buffer)
        if isinstance(form, Csv) and not form.columns:
            self._file.write(_header(schema, form.delimiter))

    def write(self, frame: pl.DataFrame) -> None:
        """Append user columns.

        Raises:
            DataError: a record is not one line, so it would be read as several records.
        """
        records = _lines(self._encoder.encode(frame))
        text = b"\n".join(records)
        if not self._quotes and text.count(b"\n") >= len(records):
            row = next(n for n, record in enumerate(records) if b"\n" in record)
            raise _no_line(row, "there is a line end in it")
        self._again()
        self._file.write(text + b"\n")
        self.rows += frame.height
        self.nulled += nulled_of(self._encoder)

    def pause(self) -> None:
        """Close the file until there is more to write."""
        self._file.close()

    def _again(self) -> None:
        if self._file.closed:
            self._file = open(self._path, "ab", buffering=self._buffer)

    def finish(self, *, sync: bool) -> None:
        """Close the file."""
        self._again()
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Close and remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _lines(records: Sequence[bytes | None]) -> Sequence[bytes]:
    """The same records; refuses blank lines, which a reader skips."""
    if all(records):
        return records  # type: ignore[return-value]
    raise _no_line(next(n for n, record in enumerate(records) if not record), "it is empty")


def _no_line(row: int, why: str) -> DataError:
    what = f"a record cannot be written as a line: {why}"
    advice = "write json or parquet, or filter such rows"
    return DataError(what, f"row {row} of a batch", advice)


def _header(schema: Schema, delimiter: str) -> bytes:
    text = io.BytesIO()
    schema.empty().write_csv(text, separator=delimiter)
    return text.getvalue()


class ParquetPart:
    """Columns, kept in memory until the checkpoint: Parquet is written in one go."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
        self.nulled = 0
        self._path = path
        self._frames: list[pl.DataFrame] = []

    def write(self, frame: pl.DataFrame) -> None:
        """Append user columns."""
        self._frames.append(frame)
        self.rows += frame.height

    def finish(self, *, sync: bool) -> None:
        """Write the file."""
        with open(self._path, "xb") as file:
            pl.concat(self._frames).write_parquet(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())

    def discard(self) -> None:
        """Do nothing: nothing was written yet."""
        self._frames = []
