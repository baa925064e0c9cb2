"""Read a Parquet file by rows; the error policy handles values that do not fit their types."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from raystream.connectors.base import ReadOptions, Split
from raystream.connectors.columns import decode_schema, index_of_row
from raystream.connectors.files.cursors import BadRecord, Piece
from raystream.connectors.files.mark import Replaced
from raystream.data.fit import fitted
from raystream.data.schema import Schema
from raystream.data.values import shown
from raystream.errors import RaystreamError
from raystream.formats.unknown_fields import beyond

_MAGIC = b"PAR1"
_BEHIND = 8
"""Bytes after the footer: its size and the magic word."""

_LEAST = 12
"""Minimum size of a file: the magic word twice, and the size of the footer."""


class ParquetCursor:
    """Parquet by rows, 64 k rows at a time; an existing file never changes.

    A position is {row: rows read, rows: rows in all, mark: of its footer}; only the first number in
    older checkpoints.
    """

    ROWS = 65_536

    def __init__(self, path: Path, split: Split, options: ReadOptions) -> None:
        self._path = path
        self._schema = decode_schema(options)
        self._record = options.record
        start, told = split.start, isinstance(split.start, Mapping)
        self._next: int = start["row"] if told else start
        self._mark: int | None = start.get("mark") if told else None
        self._seen: tuple[int, ...] = ()
        if told and not path.exists():  # the reader reports what is missing
            self._end = self._next
        else:
            self._end = parquet_rows(path) if split.end is None else split.end
        self._ahead: pl.DataFrame | None = None
        self._there: list[str] = []

    def take(self, most: int) -> Piece | None:
        """Up to `most` rows.

        Raises:
            Replaced: it is not the file that was read before.
        """
        if self._next >= self._end:
            return None
        if self._ahead is None or not self._ahead.height:
            self._ahead = self._read(min(self.ROWS, self._end - self._next))
        rows, self._ahead = self._ahead.head(most), self._ahead.slice(most)
        first, self._next = self._next, self._next + rows.height
        return self._fit(rows, first)

    def _check(self) -> None:
        """Compare its footer, which is read again if the file was touched."""
        with _named(self._path):
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_size, status.st_mtime_ns)
            if seen == self._seen:
                return
            mark = footer_mark(self._path)
        if self._mark is not None and mark != self._mark:
            what = "its columns or rows are described otherwise than before"
            raise Replaced(what)
        self._seen, self._mark = seen, mark

    def _read(self, count: int) -> pl.DataFrame:
        self._check()
        scan = pl.scan_parquet(self._path)
        with _named(self._path):
            self._there = scan.collect_schema().names()
        wanted = [name for name in self._schema.columns if name in self._there]
        if not wanted:
            return pl.DataFrame(height=count)
        with _named(self._path):
            frame = scan.select(wanted).slice(self._next, count).collect()
        if frame.height < count:
            what = f"it has fewer than the {self._next + count} rows that were counted before"
            raise Replaced(what)
        return frame

    def _fit(self, rows: pl.DataFrame, first: int) -> Piece:
        """Cast to the schema; rows with a value that would change, or a missing one, are bad."""
        columns, reasons = dict[str, pl.Series](), dict[int, str]()
        for name, kind in self._schema.columns.items():
            if name not in rows.columns:
                columns[name] = pl.Series(name, [None] * rows.height, kind)
                continue
            given = rows.get_column(name)
            columns[name] = made = _of_type(given, kind)
            if made.null_count() > given.null_count():
                for row in (made.is_null() & given.is_not_null()).arg_true().to_list():
                    reasons.setdefault(row, _why(given, row, kind))
        for name in sorted(self._schema.required):
            for row in columns[name].is_null().arg_true().to_list():
                reasons.setdefault(row, f"null in {name}")
        frame = pl.DataFrame(columns) if columns else pl.DataFrame(height=rows.height)
        return self._piece(frame, rows, first, reasons)

    def _piece(
        self, frame: pl.DataFrame, rows: pl.DataFrame, first: int, reasons: dict[int, str]
    ) -> Piece:
        left_out = sorted(reasons)

        def numbered(index: int, reason: str) -> BadRecord:
            value = repr(rows.row(index, named=True)).encode()
            return BadRecord(f"row {first + index}", value, reason)

        def record(row: int, reason: str) -> BadRecord:
            return numbered(index_of_row(row, left_out), reason)

        position = {"row": self._next, "rows": self._end, "mark": self._mark}
        bad = tuple(numbered(index, reasons[index]) for index in left_out)
        unknown = beyond(self._there, self._record, rows.height) if self._record else {}
        good = ~pl.int_range(pl.len()).is_in(left_out)
        kept = frame.filter(good) if left_out else frame
        return Piece(kept, position, record, bad, unknown)

    def place(self) -> str:
        """Of the next record."""
        return f"row {self._next}"

    def waiting(self) -> bool:
        """Whether rows lie ahead."""
        return bool(self._next < self._end)

    def left(self) -> int:
        """Rows ahead."""
        return int(self._end - self._next)


def _of_type(column: pl.Series, kind: pl.DataType) -> pl.Series:
    """The same values, null if one would change.

    A datetime without finer digits becomes an integer of milliseconds if that is declared (or was
    learnt by an older version).
    """
    if isinstance(column.dtype, pl.Datetime) and kind.is_integer():
        per_ms, count = _PER_MS[column.dtype.time_unit], column.to_physical()
        whole = pl.select(pl.when(count % per_ms == 0).then(count // per_ms)).to_series()
        return fitted(whole.alias(column.name), kind)
    return fitted(column, kind)


_PER_MS = {"ms": 1, "us": 1000, "ns": 1_000_000}


def _why(column: pl.Series, row: int, kind: pl.DataType) -> str:
    if isinstance(column.dtype, pl.Datetime) and kind.is_integer():
        return f"column {column.name!r}: {column[row]} is not a whole number of milliseconds"
    return f"column {column.name!r}: {shown(column[row])} ({column.dtype}) is not {kind}"


def parquet_rows(path: Path) -> int:
    """Number of rows of a Parquet file.

    Raises:
        RaystreamError: it is gone, or not a Parquet file.
    """
    with _named(path):
        count: int = pl.scan_parquet(path).select(pl.len()).collect().item()
    return count


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        what = f"file {path} is gone, and it is not known whether it was read to its end"
        raise RaystreamError(what, what_to_do="put it back") from error
    except pl.exceptions.PolarsError as error:
        what = f"file {path} cannot be read as Parquet: {str(error).splitlines()[0]}"
        raise RaystreamError(what, what_to_do="replace it, or take it away") from error


def footer_mark(path: Path) -> int:
    """Fingerprint of a Parquet file: a number computed from its footer."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _BEHIND))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(0, size - _BEHIND - length))
        return zlib.crc32(file.read())


def is_whole(path: Path) -> bool:
    """Whether a Parquet file was completely written: incomplete ones are not read yet."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - len(_MAGIC)))
            return size >= _LEAST and file.read() == _MAGIC
    except FileNotFoundError:
        return False


def parquet_schema(path: Path) -> Schema:
    """Columns of a Parquet file, by its types; categories and all-null columns are text."""
    with _named(path):
        kinds = pl.read_parquet_schema(path)
    return Schema.of_frame({name: _learnt(kind) for name, kind in kinds.items()})


def _learnt(kind: pl.DataType) -> pl.DataType:
    return pl.String() if isinstance(kind, pl.Categorical | pl.Enum | pl.Null) else kind
