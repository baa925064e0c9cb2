"""Detect that a file was replaced by another of the same name, by bytes around what was read.

A file that is only appended to keeps its first bytes, and those before the read position. A file
that took its name has different ones, whatever its length.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from typing import IO

SIZE = 256
"""Bytes that are compared at either place."""


class Replaced(Exception):  # noqa: N818 - a fact about a file, told as a record that does not fit
    """The file is not the one that was read before; holds the evidence in words."""


class Mark:
    r"""The first bytes of a file, and those before an offset; compared before each read.

    Args:
        offset: Where reading continues.
        crc: What `crc` was at this offset in an older run, or None.

    >>> mark = Mark(0, None)
    >>> mark.behind([b"ab", b"c"], whole=True); mark.crc() == Mark.of(b"ab\nc\n", b"ab\nc\n")
    True
    """

    def __init__(self, offset: int, crc: int | None) -> None:
        self._offset = offset
        self._expected = crc
        self._head = b""
        self._before = b""
        self._known = offset == 0

    @staticmethod
    def of(head: bytes, before: bytes) -> int:
        """One number for both."""
        return zlib.crc32(before, zlib.crc32(head))

    def crc(self) -> int | None:
        """Checksum of what is before the offset; None: there is nothing, or it was not read."""
        if not self._known:
            return self._expected
        return self.of(self._head, self._before) if self._offset else None

    def behind(self, lines: Sequence[bytes], *, whole: bool) -> None:
        """Add lines that were read; `whole`: the last one has a line end."""
        end = b"\n" if whole else b""
        if len(self._head) < SIZE:
            self._head = (self._head + _joined(lines[: SIZE + 1]) + end)[:SIZE]
        last = _last(lines, end)
        self._before = (self._before + last)[-SIZE:]
        self._offset += sum(map(len, lines)) + len(lines) - (0 if whole else 1)

    def check(self, file: IO[bytes], half: bytes) -> None:
        """Compare with the file.

        Args:
            file: Open; read at other places than its own.
            half: What was read after the offset.

        Raises:
            Replaced: it is a different file.
        """
        number = file.fileno()
        if not self._known:
            self._learn(number)
        start = self._offset - len(self._before)
        there = os.pread(number, len(self._before) + len(half), start)
        if os.pread(number, len(self._head), 0) != self._head or there != self._before + half:
            raise Replaced(_WHY)

    def _learn(self, number: int) -> None:
        self._head = os.pread(number, min(SIZE, self._offset), 0)
        start = max(0, self._offset - SIZE)
        self._before = os.pread(number, self._offset - start, start)
        self._known = True
        if self._expected is not None and self.crc() != self._expected:
            raise Replaced(_WHY)


_WHY = "what was read of it is not in it any more"


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines)


def _last(lines: Sequence[bytes], end: bytes) -> bytes:
    """The end of the lines, about SIZE bytes of it, without joining them all."""
    first, size = len(lines), 0
    while first and size < SIZE:
        first -= 1
        size += len(lines[first]) + 1
    return (_joined(lines[first:]) + end)[-SIZE:]
