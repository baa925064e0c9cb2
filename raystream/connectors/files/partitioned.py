"""Files in directories that are named after values, while they are being written.

All files of a checkpoint and subtask are in one hidden directory, which stands for them in the
protocol: its renaming is the moment from which on they are committed, then each is moved to its
place (see hidden.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from raystream.connectors.files.hidden import PENDING, removed, sync_directory
from raystream.connectors.files.partitions import divided
from raystream.connectors.files.parts import Part, TextPart

MOST_OPEN = 64
"""Text files of a subtask that are open at once; the others are opened again for more rows."""


class PartitionedPart:
    """A hidden directory with a file for each combination of values.

    Args:
        path: The directory, which is made here.
        name: Of each file.
        columns: Which values name directories; they are not in the files.
        make: Called with the path of a new file.
    """

    def __init__(
        self, path: Path, name: str, columns: Sequence[str], make: Callable[[Path], Part]
    ) -> None:
        self._path, self._name, self._columns, self._make = path, name, columns, make
        self._parts: dict[str, Part] = {}
        self._open: dict[str, TextPart] = {}
        self.rows = 0
        self.nulled = 0
        path.mkdir()

    def write(self, frame: pl.DataFrame) -> None:
        """Append user columns.

        Raises:
            DataError: a value makes a longer name than a directory may have, or see TextPart.
        """
        for where, rows in divided(frame, self._columns):
            part = self._parts.get(where)
            if part is None:
                directory = self._path / where
                directory.mkdir(parents=True, exist_ok=True)
                part = self._parts[where] = self._make(directory / f"{self._name}{PENDING}")
            self._used(where, part)
            before = part.nulled
            part.write(rows)
            self.nulled += part.nulled - before
        self.rows += frame.height

    def _used(self, where: str, part: Part) -> None:
        """Close the file that was not used for longest, if there are too many."""
        if not isinstance(part, TextPart):
            return
        self._open.pop(where, None)
        self._open[where] = part
        if len(self._open) > MOST_OPEN:
            self._open.pop(next(iter(self._open))).pause()

    def finish(self, *, sync: bool) -> None:
        """Write everything to the files, close them, and (sync) make them survive a power loss."""
        for part in self._parts.values():
            part.finish(sync=sync)
        if sync:
            for directory, _, _ in os.walk(self._path):
                sync_directory(Path(directory))

    def discard(self) -> None:
        """Close and remove all."""
        for part in self._parts.values():
            part.discard()
        removed(self._path)
