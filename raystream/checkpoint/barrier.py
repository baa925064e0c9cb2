"""The barrier that separates the rows of one checkpoint from those of the next (Flink)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Barrier:
    """Barrier of checkpoint `checkpoint` (1, 2, ..); `final`: nothing follows on this channel."""

    checkpoint: int
    final: bool = False
