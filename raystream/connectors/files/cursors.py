"""Read one text file from a saved position; the cursor interface of all kinds of files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from raystream.connectors.base import Position, ReadOptions, Split
from raystream.connectors.columns import decode_schema, index_of_row, record_decoder
from raystream.connectors.files.lines import LineFile, first_lines
from raystream.errors import ConfigurationError
from raystream.formats.base import Decoder, Format
from raystream.formats.csv import Csv
from raystream.formats.unknown_fields import beyond


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of the file that does not fit: its place in words (`line 17`), raw, and why."""

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
    """Read position in one file."""

    def take(self, most: int) -> Piece | None:
        """Up to `most` rows; None if there are none now. Raises `mark.Replaced`."""
        ...

    def place(self) -> str:
        """Place of the next record, in words."""
        ...

    def waiting(self) -> bool:
        """Whether there are rows left to read."""
        ...

    def left(self) -> int:
        """Approximate number of rows left."""
        ...


class TextCursor:
    """JSON lines, CSV or another format with one record per line.

    A position is [byte, lines, size, mark]: the size shows whether a file that is gone had been
    read to its end, the mark (`files.mark`) whether the file was replaced by another one. Before
    anything was read it is [0, 0, size]; older ones have fewer parts.
    """

    def __init__(
        self, path: Path, split: Split, form: Format, options: ReadOptions, *, tail: bool
    ) -> None:
        offset, line, *more = split.start
        end = None if split.end is None else split.end[0]
        crc = more[1] if len(more) > 1 else None
        self._file = LineFile(path, offset, line, end, tail=tail, crc=crc)
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
        size = max(self._file.seen(), lines.offset)
        unknown = decoded.unknown or self._unknown(len(payloads))
        position = [lines.offset, lines.line, size, self._file.crc()]
        return Piece(decoded.frame, position, record, bad, unknown)

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

    def place(self) -> str:
        """Of the next record."""
        return f"line {self._file.line + 1}"

    def waiting(self) -> bool:
        """Whether there are whole lines left to read."""
        return self._file.waiting()

    def left(self) -> int:
        """Lines ahead, estimated."""
        return self._file.left()


def with_header(form: Csv, path: Path) -> Csv:
    """CSV with the column names of the file's first line."""
    lines = first_lines(path, 1)
    try:
        return form.named_by(lines[0] if lines else b"")
    except ConfigurationError as error:
        raise error.placed(str(path)) from None
