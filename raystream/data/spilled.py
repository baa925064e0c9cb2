"""A frame on local disk: what a table asks of whoever spills its rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class Spilled:
    """A frame whose rows are on disk.

    Args:
        frame: The same rows, mapped.
        disk: Bytes of the file.
        memory: Bytes of the columns that had to stay in memory.
    """

    frame: pl.DataFrame = field(compare=False)
    disk: int
    memory: int = 0


Load = Callable[[bytes], Spilled | None]
"""Keeps the bytes of a stored segment on disk and maps them; None: they must be decoded."""

Spill = Callable[[pl.DataFrame], Spilled]
"""Writes a frame to disk and maps it (storage.spill_directory)."""
