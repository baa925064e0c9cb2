"""One file read on from a saved position: text by lines, Parquet by rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from raystream.connectors.base import Position, ReadOptions, Split
from raystream.connectors.columns import decode_schema, index_of_row, record_decoder
from raystream.connectors.files.lines import LineFile, first_lines
from raystream.data.schema import Schema
from raystream.errors import RaystreamError
from raystream.formats.base import Decoder, Format
from raystream.formats.csv import Csv
from raystream.formats.unknown_fields import beyond


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of the file that does not fit: its number in words (`line 17`), raw, and why."""

    place: str
    value: bytes | None
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Decoded rows of a file and the position behind them; `record` gives one of them raw."""

    frame: pl.DataFrame
    position: Position
    record: Callable[[int, str], BadRecord]
    bad: tuple[BadRecord, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)


class Cursor(Protocol):
    """Where we are in one file."""

    def take(self, most: int) -> Piece | None:
        """Up to `most` rows; None if there are none now."""
        ...

    def waiting(self) -> bool:
        """Whether rows lie ahead."""
        ...

    def left(self) -> int:
        """How many rows lie ahead, about."""
        ...


class TextCursor:
    """JSON lines, CSV or another format with one record per line.

    A position is [byte, lines]; while more lies ahead [byte, lines, size], so that a file that is
    gone before it was read to its end is not taken for one that was.
    """

    def __init__(
        self, path: Path, split: Split, form: Format, options: ReadOptions, *, tail: bool
    ) -> None:
        offset, line = split.start[:2]
        end = None if split.end is None else split.end[0]
        self._file = LineFile(path, offset, line, end, tail=tail)
        self._form = form
        self._options = options
        self._there: tuple[str, ...] = ()
        self._header = isinstance(form, Csv) and not form.columns
        self._decoder: Decoder | None = None

    def take(self, most: int) -> Piece | None:
        """Up to `most` rows; a header line counts as one."""
        lines = self._file.take(most)
        if lines is None:
            return None
        payloads, numbers = lines.payloads, lines.numbers
        if self._header and numbers and numbers[0] == 1:
            payloads, numbers = payloads[1:], numbers[1:]
        decoded = self._ready_decoder().decode(payloads)

        def line(index: int, reason: str) -> BadRecord:
            return BadRecord(f"line {numbers[index]}", payloads[index], reason)

        def record(row: int, reason: str) -> BadRecord:
            return line(index_of_row(row, [r.index for r in decoded.rejected]), reason)

        bad = tuple(line(row.index, row.reason) for row in decoded.rejected)
        size = self._file.seen()
        ahead = [size] if size > lines.offset else []
        unknown = decoded.unknown or self._unknown(len(payloads))
        return Piece(decoded.frame, [lines.offset, lines.line, *ahead], record, bad, unknown)

    def _unknown(self, rows: int) -> Mapping[str, int]:
        known = self._options.record
        return beyond(self._there, known, rows) if known and self._there else {}

    def _ready_decoder(self) -> Decoder:
        if self._decoder is None:
            form = self._form
            if self._header and isinstance(form, Csv):
                form = with_header(form, self._file.path)
                self._there = form.columns
            self._decoder = record_decoder(form, self._options, decode_schema(self._options))
        return self._decoder

    def waiting(self) -> bool:
        """Whether whole lines lie ahead."""
        return self._file.waiting()

    def left(self) -> int:
        """Lines ahead, estimated."""
        return self._file.left()


def with_header(form: Csv, path: Path) -> Csv:
    """CSV with the column names of the file's first line."""
    line = first_lines(path, 1)[0]
    names = pl.read_csv(line + b"\n", separator=form.delimiter, infer_schema=False).columns
    return Csv(tuple(names), form.delimiter)


class ParquetCursor:
    """Parquet by rows; position = number of rows read. A file is read 64 k rows at a time."""

    ROWS = 65_536

    def __init__(self, path: Path, split: Split, options: ReadOptions) -> None:
        self._path = path
        self._schema = decode_schema(options)
        self._record = options.record
        self._next: int = split.start
        self._end: int = parquet_rows(path) if split.end is None else split.end
        self._ahead: pl.DataFrame | None = None
        self._there: list[str] = []

    def take(self, most: int) -> Piece | None:
        """Up to `most` rows."""
        if self._next >= self._end:
            return None
        if self._ahead is None or not self._ahead.height:
            self._ahead = self._read(min(self.ROWS, self._end - self._next))
        rows, self._ahead = self._ahead.head(most), self._ahead.slice(most)
        first, self._next = self._next, self._next + rows.height
        return self._fit(rows, first)

    def _read(self, count: int) -> pl.DataFrame:
        scan = pl.scan_parquet(self._path)
        self._there = scan.collect_schema().names()
        wanted = [name for name in self._schema.columns if name in self._there]
        frame = scan.select(wanted).slice(self._next, count).collect()
        if frame.height < count and wanted:
            what = f"file {self._path} has fewer rows than were read of it before"
            raise RaystreamError(what, what_to_do="restore the file, or start from scratch")
        return frame

    def _fit(self, rows: pl.DataFrame, first: int) -> Piece:
        """Columns of the schema; rows with a value of another type, or a missing one, are bad."""
        columns = self._schema.columns.items()
        frame = rows.select(_cast(rows, name, kind) for name, kind in columns)
        lost = [pl.col(n).is_not_null() & frame[n].is_null() for n in rows.columns]
        misfit = rows.select(pl.any_horizontal(False, *lost)).to_series()
        missing = frame.select(
            pl.any_horizontal(False, *(pl.col(n).is_null() for n in self._schema.required))
        ).to_series()
        offending = misfit | missing
        left_out = offending.arg_true().to_list()

        def numbered(index: int, reason: str) -> BadRecord:
            value = repr(rows.row(index, named=True)).encode()
            return BadRecord(f"row {first + index}", value, reason)

        def record(row: int, reason: str) -> BadRecord:
            return numbered(index_of_row(row, left_out), reason)

        bad = tuple(numbered(index, _WHY) for index in left_out)
        unknown = beyond(self._there, self._record, rows.height) if self._record else {}
        return Piece(frame.filter(~offending), self._next, record, bad, unknown)

    def waiting(self) -> bool:
        """Whether rows lie ahead."""
        return self._next < self._end

    def left(self) -> int:
        """Rows ahead."""
        return self._end - self._next


_WHY = "a value of another type than the schema says, or null in a column that is not null"


def _cast(rows: pl.DataFrame, name: str, kind: Any) -> pl.Expr:
    if name not in rows.columns:
        return pl.lit(None, dtype=kind).alias(name)
    column = pl.col(name)
    if isinstance(rows.schema[name], pl.Datetime) and kind.is_integer():
        column = column.dt.epoch("ms")
    return column.cast(kind, strict=False)


def parquet_rows(path: Path) -> int:
    """Number of rows of a Parquet file."""
    count: int = pl.scan_parquet(path).select(pl.len()).collect().item()
    return count


def parquet_schema(path: Path) -> Schema:
    """Columns of a Parquet file; times become whole epoch milliseconds."""
    kinds = pl.read_parquet_schema(path)
    return Schema({n: pl.Int64() if isinstance(k, pl.Datetime) else k for n, k in kinds.items()})
