"""What a subtask keeps of old state: its rows, and no bytes of others."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from raystream.state.redistribute import owned

TEXT = "x" * 1000


def resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def segment(number: int) -> pl.DataFrame:
    """20 MB of texts."""
    keys = pl.int_range(20_000, eager=True).cast(pl.String)
    return pl.DataFrame({"k": f"{number}-" + keys}).with_columns(text=pl.col("k") + TEXT)


def test_the_share_does_not_hold_the_texts_of_the_whole() -> None:
    """What Polars filters shares its buffers: a hundredth of the rows held all of the bytes."""
    parts = [owned(segment(0), ["k"], 0, 100)]
    before = resident()
    parts += [owned(segment(number), ["k"], 0, 100) for number in range(1, 12)]
    assert 1000 < sum(part.height for part in parts) < 4000
    assert resident() - before < 100e6  # of 220 MB
