"""Read one text file forward in blocks: whole lines, and the position after them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from raystream.connectors.files.mark import Mark, Replaced
from raystream.errors import RaystreamError

BLOCK = 256 * 1024
"""Bytes per read: some 3,000 small records, so that their lists stay near the L2 cache."""


_BOM = b"\xef\xbb\xbf"
"""Byte order mark that some editors write before UTF-8: part of the file, not of its first line."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a file.

    Args:
        payloads: Lines without their line ends; blank lines are omitted.
        numbers: Line number of each payload, 1-based.
        offset: Byte after the last of them.
        line: Number of lines before `offset`.
    """

    payloads: list[bytes]
    numbers: range | list[int]
    offset: int
    line: int


class LineFile:
    """Reads lines from a byte offset on; keeps no file open between reads.

    Args:
        path: The file.
        offset: Byte to start at: the beginning of a line.
        line: Number of lines before `offset`.
        end: Byte to stop at, or None.
        tail: Whether a last line without line end waits for the rest of it.
        crc: Of what was read before, see `Mark`; None: not known.

    A bounded read of a file that is not tailed ends with its last line, line end or not. A file
    that was read to its end may be removed (rotated logs).
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        line: int,
        end: int | None,
        *,
        tail: bool,
        crc: int | None = None,
    ) -> None:
        self.path = path
        self.offset = offset
        self.line = line
        self._end = end
        self._tail = tail
        self._lines: list[bytes] = []
        self._half = b""
        self._read_to = offset
        self._last_is_whole = True
        self._seen = 0
        self._mark = Mark(offset, crc)
        self._touched: tuple[int, int] | None = None
        self._compared: tuple[int, int] | None = None

    def take(self, most: int) -> Lines | None:
        """Up to `most` lines (blank ones included); None if there are none now.

        Raises:
            Replaced: It is not the file that was read before.
            RaystreamError: It was removed before it was read to its end.
        """
        if not self._lines:
            self._fill()
        if not self._lines:
            return None
        taken, self._lines = self._lines[:most], self._lines[most:]
        whole = bool(self._lines) or self._last_is_whole
        self._mark.behind(taken, whole=whole)
        self.offset += sum(map(len, taken)) + len(taken) - (0 if whole else 1)
        first = self.line + 1
        self.line += len(taken)
        if first == 1:
            taken[0] = taken[0].removeprefix(_BOM)
        return self._without_blanks(taken, first)

    def _without_blanks(self, taken: list[bytes], first: int) -> Lines:
        numbers = range(first, first + len(taken))
        if all(taken):
            return Lines(taken, numbers, self.offset, self.line)
        kept = [(number, line) for number, line in zip(numbers, taken, strict=True) if line]
        return Lines([p for _, p in kept], [n for n, _ in kept], self.offset, self.line)

    def waiting(self) -> bool:
        """Whether there are unread bytes (not counting an incomplete line)."""
        if self._lines:
            return True
        half = len(self._half) if self._tail and self._end is None else 0
        return self.offset + half != self.limit() or self._may_be_another()

    def _may_be_another(self) -> bool:
        """Check for replacement even without new bytes: another file may have the same size."""
        if not self.offset:
            return False
        if self._end is not None:
            return self._compared is None
        return self._touched is not None and self._touched != self._compared

    def crc(self) -> int | None:
        """Of what was read, see `Mark`."""
        return self._mark.crc()

    def seen(self) -> int:
        """Size of the file as last seen, or where this run ends if that is further."""
        return max(self._seen, self._end or 0)

    def left(self) -> int:
        """Number of lines left, estimated from those read so far."""
        return (self.limit() - self.offset) * self.line // max(self.offset, 1)

    def limit(self) -> int:
        """Byte where the file ends, for this run."""
        return self._size() if self._end is None else self._end

    def _fill(self) -> None:
        limit = self.limit()
        self._check(limit)
        if self._read_to >= limit:
            self._look()
        while not self._lines and self._read_to < limit:
            block = self._read(min(BLOCK, limit - self._read_to))
            self._read_to += len(block)
            *self._lines, self._half = (self._half + block).split(b"\n")
        if self._half and self._read_to >= limit and not self._tail and not self._lines:
            self._lines, self._half, self._last_is_whole = [self._half], b"", False

    def _read(self, size: int) -> bytes:
        with open(self.path, "rb", buffering=0) as file:
            self._compare(file)
            file.seek(self._read_to)
            block = file.read(size)
        if not block:
            raise self._shrunk(self._read_to)
        return block

    def _size(self) -> int:
        try:
            status = os.stat(self.path)
            self._seen, self._touched = status.st_size, _when(status)
        except FileNotFoundError as error:
            if self._seen > self._read_to:
                what = f"file {self.path} is gone, but was not read to its end"
                raise RaystreamError(what, what_to_do="put it back") from error
            return self._read_to
        return self._seen

    def _look(self) -> None:
        """Compare although there is nothing to read; a file that was read may be gone."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                self._compare(file)
        except FileNotFoundError:
            self._compared = self._touched = (0, 0)

    def _compare(self, file: IO[bytes]) -> None:
        self._mark.check(file, self._half)
        self._compared = _when(os.fstat(file.fileno()))

    def _check(self, limit: int) -> None:
        if limit < self._read_to:
            raise self._shrunk(limit)

    def _shrunk(self, size: int) -> Replaced:
        return Replaced(f"it has {size} bytes, but was read to byte {self.offset} before")


def _when(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_mtime_ns


def whole_lines(path: Path) -> int:
    """Byte after the last line end of a file (0: there is none)."""
    position = os.stat(path).st_size
    with open(path, "rb") as file:
        while position:
            start = max(0, position - BLOCK)
            file.seek(start)
            found = file.read(position - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            position = start
    return 0


def first_lines(path: Path, most: int = 1000) -> list[bytes]:
    """The first lines of a file, for learning the schema."""
    lines = LineFile(path, 0, 0, None, tail=False).take(most)
    return lines.payloads if lines else []
