"""Batches of a source: small while the chain is slow, large as soon as it is not."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl

import raystream as rs
from raystream.runtime.batch_size import BATCH_ROWS, LEAST_ROWS, BatchSize


def sizes(rows: int, storage: Path, seconds_per_row: float = 0.0) -> list[int]:
    """Rows of each batch that a slow (or fast) function gets."""
    found: list[int] = []

    def work(frame: pl.DataFrame) -> pl.DataFrame:
        found.append(frame.height)
        if seconds_per_row:
            time.sleep(frame.height * seconds_per_row)
        return frame

    p = rs.Pipeline("sizes", checkpoint_storage=str(storage))
    read = p.read(rs.Rows([{"n": n} for n in range(rows)]), name="rows")
    read.map_batches(work, schema={"n": int}).write(rs.Collect(), name="out")
    p.run(local=True, until="latest")
    assert sum(found) == rows
    return found


def test_a_slow_function_gets_less_at_a_time(tmp_path: Path) -> None:
    first, *rest = sizes(1_000, tmp_path, 0.0012)  # 0.6 s for the first
    assert first == 500
    assert 50 < rest[0] < 250
    assert max(rest) <= 250


def test_a_fast_one_soon_gets_all_that_a_batch_may_hold(tmp_path: Path) -> None:
    found = sizes(100_000, tmp_path)
    assert max(found) >= BATCH_ROWS / 2


def test_it_is_never_nothing_and_grows_again() -> None:
    size = BatchSize()
    size.took(500, 3_600.0)
    assert size.rows == LEAST_ROWS
    for _ in range(20):
        size.took(size.rows, 0.01)
    assert size.rows == BATCH_ROWS
