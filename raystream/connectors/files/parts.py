"""One output file while it is written."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Protocol

import polars as pl

from raystream.data.schema import Schema
from raystream.formats.base import Format
from raystream.formats.csv import Csv

_BUFFER = 1 << 20


class Part(Protocol):
    """A hidden file that takes rows until it is finished or discarded."""

    rows: int

    def write(self, frame: pl.DataFrame) -> None:
        """Append user columns."""
        ...

    def finish(self, *, sync: bool) -> None:
        """Write all to the file, close it, and (sync) make it survive a loss of power."""
        ...

    def discard(self) -> None:
        """Close and remove it."""
        ...


class TextPart:
    """One record per line; CSV begins with a header line unless its columns are given."""

    def __init__(self, path: Path, form: Format, schema: Schema) -> None:
        self.rows = 0
        self._path = path
        self._encoder = form.encoder(schema)
        self._file = open(path, "xb", buffering=_BUFFER)
        if isinstance(form, Csv) and not form.columns:
            self._file.write(_header(schema, form.delimiter))

    def write(self, frame: pl.DataFrame) -> None:
        """Append user columns."""
        self._file.write(b"\n".join(self._encoder.encode(frame)) + b"\n")
        self.rows += frame.height

    def finish(self, *, sync: bool) -> None:
        """Close the file."""
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Close and remove it."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _header(schema: Schema, delimiter: str) -> bytes:
    text = io.BytesIO()
    schema.empty().write_csv(text, separator=delimiter)
    return text.getvalue()


class ParquetPart:
    """Columns, kept in memory until the checkpoint: Parquet is written in one go."""

    def __init__(self, path: Path) -> None:
        self.rows = 0
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
        """Nothing was written yet."""
        self._frames = []
