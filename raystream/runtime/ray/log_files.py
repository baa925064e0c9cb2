"""The log of one stream of a process: a file, and those that Ray has rotated away from it.

Ray renames FILE to FILE.1, FILE.1 to FILE.2, .. and begins FILE anew (RAY_ROTATION_MAX_BYTES). A
mark therefore names a file by its inode and its first bytes, not by its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

MOST_BYTES = 1_000_000
"""Maximum bytes read of one stream at a time."""

LOST = "(older lines were rotated away before they were read)"

_HEAD = 256
"""Bytes by which a file is told from a later one that got its inode."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a stream was read.

    Args:
        inode: Of the file.
        offset: In it.
        head: Checksum of its first bytes.
    """

    inode: int
    offset: int
    head: int


@dataclass(frozen=True, slots=True)
class _Opened:
    file: BinaryIO
    inode: int
    size: int

    def bytes(self, start: int, most: int) -> bytes:
        self.file.seek(start)
        return self.file.read(min(most, self.size - start))

    def mark(self, offset: int) -> Mark:
        return Mark(self.inode, offset, crc32(self.bytes(0, min(_HEAD, offset))))


def last_lines(path: Path) -> tuple[list[str], Mark | None]:
    """The end of a stream, and where to continue.

    Args:
        path: Its newest file.
    """
    with ExitStack() as stack:
        files = _opened(path, stack)
        data, cut = b"", False
        for each in reversed(files):
            start = max(0, each.size - MOST_BYTES + len(data))
            data, cut = each.bytes(start, MOST_BYTES) + data, start > 0
            if cut:
                break
        lines = data.decode(errors="replace").splitlines()
        return lines[1:] if cut else lines, files[-1].mark(files[-1].size) if files else None


def lines_since(path: Path, mark: Mark) -> tuple[list[str], Mark]:
    """Whole lines that came since the mark, and where to continue; none twice.

    Args:
        path: Newest file of the stream.
        mark: Where the last read ended.
    """
    with ExitStack() as stack:
        files = _opened(path, stack)
        at = next((n for n, each in enumerate(files) if _is_of(each, mark)), None)
        lost = at is None and mark.inode not in {each.inode for each in files}
        start, lines = (0 if at is None else mark.offset), [LOST] if lost and files else []
        left = MOST_BYTES
        for each in files[at or 0 :]:
            data = each.bytes(start, left)
            if each is files[-1] or start + len(data) < each.size:
                data = _whole_lines(data)
            lines += data.decode(errors="replace").splitlines()
            mark, start, left = each.mark(start + len(data)), 0, left - len(data)
            if mark.offset < each.size:
                break
        return lines, mark


def _whole_lines(data: bytes) -> bytes:
    """Without the last line if its rest is to come, unless it is longer than is read at a time."""
    end = data.rfind(b"\n") + 1
    return data if not end and len(data) == MOST_BYTES else data[:end]


def _is_of(file: _Opened, mark: Mark) -> bool:
    if file.inode != mark.inode or file.size < mark.offset:
        return False
    return file.mark(mark.offset) == mark


def _opened(path: Path, stack: ExitStack) -> list[_Opened]:
    """All files of a stream, oldest first.

    The newest is opened first: a rotation meanwhile then shows a file twice, but hides none.
    """
    found: dict[int, _Opened] = {}
    for each in _names(path):
        with suppress(OSError):
            file = stack.enter_context(each.open("rb"))
            about = os.fstat(file.fileno())
            found.setdefault(about.st_ino, _Opened(file, about.st_ino, about.st_size))
    return list(reversed(found.values()))


def _names(path: Path) -> Iterator[Path]:
    """The newest file, and every name that an older one has or gets by a rotation meanwhile."""
    numbers = [
        each.name.removeprefix(f"{path.name}.") for each in path.parent.glob(f"{path.name}.*")
    ]
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    yield path
    for number in range(1, last + 2):
        yield path.with_name(f"{path.name}.{number}")
