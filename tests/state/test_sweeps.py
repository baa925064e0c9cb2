"""Large tables: what a checkpoint uploads, how large a merge is, and what stays in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from raystream.state.keyed_table import KeyedTable
from raystream.state.memory import StateMemory
from raystream.state.run import RunPolicy
from raystream.storage.memory import MemoryStore
from raystream.storage.segments import StoredSegments, write_segment
from raystream.storage.spill_directory import SpillDirectory

KEYS = 16_000
SMALL = RunPolicy(memtable=32, cut_rows=1_024)
"""As the usual policy is for a table of some million rows."""


def filled(memory: StateMemory | None = None, policy: RunPolicy = SMALL) -> KeyedTable:
    columns = {"k": pl.String(), "n": pl.Int64()}
    table = KeyedTable(["k"], columns, prefix="0", policy=policy)
    if memory is not None:
        table.bounded_by(memory)
    for first in range(0, KEYS, 1_600):
        count(table, np.arange(first, first + 1_600))
    return table


def count(table: KeyedTable, numbers: np.ndarray) -> None:
    keys = pl.DataFrame({"k": pl.Series(np.unique(numbers)).cast(pl.String) + "-of-many-keys"})
    _, known = table.get(keys)
    table.upsert(keys.with_columns(n=known["n"].fill_null(0) + 1))


def test_no_checkpoint_uploads_much_when_a_hundredth_of_the_keys_has_changed() -> None:
    table, rng = filled(), np.random.default_rng(0)
    stored, shares = {each.id for each in table.snapshot()}, []
    for _ in range(60):
        count(table, rng.integers(0, KEYS, KEYS // 100))
        segments = table.snapshot()
        new = sum(each.frame.height for each in segments if each.id not in stored)
        shares.append(new / sum(each.frame.height for each in segments))
        stored = {each.id for each in segments}
    assert max(shares) <= 0.05
    assert sum(shares) / len(shares) <= 0.04


def test_nor_while_the_table_grows_and_its_pieces_with_it() -> None:
    table = filled()
    stored, shares = {each.id for each in table.snapshot()}, []
    for first in range(KEYS, 4 * KEYS, 160):
        count(table, np.arange(first, first + 160))
        segments = table.snapshot()
        new = sum(each.frame.height for each in segments if each.id not in stored)
        shares.append(new / sum(each.frame.height for each in segments))
        stored = {each.id for each in segments}
    assert max(shares) <= 0.08


def test_memory_stays_below_its_limit_and_the_answers_are_the_same(tmp_path: Path) -> None:
    spills = SpillDirectory(tmp_path, "one")
    memory = StateMemory(100_000, spills.spill)
    free, bound = filled(), filled(memory, replace(SMALL, pieces=8))
    rng, most = np.random.default_rng(0), 0
    for _ in range(6):
        numbers = rng.integers(0, KEYS * 2, 500)
        for table in (free, bound):
            count(table, numbers)
        most = max(most, bound.memory_bytes())
    assert most <= 100_000
    assert bound.disk_bytes() > 5 * most
    assert bound.scan().sort("k").equals(free.scan().sort("k"))
    del bound, table
    spills.close()
    assert list(tmp_path.iterdir()) == []


def test_a_restored_table_is_mapped_where_memory_is_short(tmp_path: Path) -> None:
    table, store = filled(), MemoryStore()
    segments = table.snapshot()
    refs = [write_segment(store, 0, "counts", 0, each) for each in segments]
    spills, limit = SpillDirectory(tmp_path, "table"), 2 * table.memory_bytes() // 3
    memory = StateMemory(limit, spills.spill, spills.load)
    again = KeyedTable(["k"], table.schema, prefix="1", policy=SMALL)
    again.bounded_by(memory)
    for segment in StoredSegments(store, refs, memory.load):
        again.restore([segment])
    assert again.memory_bytes() <= limit // 2
    assert again.disk_bytes() >= sum(ref.size for ref in refs) // 3
    assert [each.id for each in again.snapshot()] == [each.id for each in segments]
    for each in (table, again):
        count(each, np.arange(0, KEYS, 3))
    assert again.memory_bytes() <= limit
    keys = pl.DataFrame({"k": pl.Series(np.arange(KEYS)).cast(pl.String) + "-of-many-keys"})
    assert again.get(keys)[1].equals(table.get(keys)[1])
    spills.close()


def test_no_merge_of_a_large_table_takes_more_than_a_few_pieces() -> None:
    table, rng = filled(), np.random.default_rng(0)
    merged: list[int] = []
    whole = table._reduced

    def reduced(runs, *, whole: bool, merge=whole):  # type: ignore[no-untyped-def]
        merged.append(sum(run.rows for run in runs))
        return merge(runs, whole=whole)

    table._reduced = reduced  # type: ignore[method-assign]
    for _ in range(30):
        count(table, rng.integers(0, KEYS, 160))
    assert 0 < max(merged) < KEYS / 10
