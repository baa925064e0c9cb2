"""State on disk in a whole job: the same rows over crashes, and nothing is left behind."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.spilled import Spilled
from raystream.runtime.state import node_memory, state_memory
from raystream.storage.spill_directory import SpillDirectory
from raystream.testing import ADVANCE, CRASH, feed
from tests.job.example import spec

Row = dict[str, Any]


def counted(directory: Path, memory: str | None, parallelism: int) -> list[Row]:
    p = rs.Pipeline("job", state_memory=memory, state_directory=str(directory))
    rows = p.read(rs.Rows([]), event_time="ts", name="rows").key_by("k")
    rows.aggregate(n=rs.count()).write(rs.Collect(), name="counts", changes="log")
    given: list[Any] = [{"ts": n * 1000, "k": f"key {n * 7 % 30}"} for n in range(300)]
    given[100:100] = [ADVANCE("12s"), CRASH]
    given[200:200] = [ADVANCE("12s"), CRASH]
    return sorted(feed(p, {"rows": given}, parallelism=parallelism)["counts"], key=repr)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_job_without_memory_for_state_gives_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallelism: int
) -> None:
    spilled: list[int] = []
    spill = SpillDirectory.spill

    def noted(self: SpillDirectory, frame: pl.DataFrame) -> Spilled:
        found = spill(self, frame)
        spilled.append(found.disk)
        return found

    loaded: list[int] = []
    load = SpillDirectory.load

    def noted_load(self: SpillDirectory, data: bytes) -> Spilled | None:
        found = load(self, data)
        loaded.append(0 if found is None else found.disk)
        return found

    monkeypatch.setattr(SpillDirectory, "spill", noted)
    monkeypatch.setattr(SpillDirectory, "load", noted_load)
    expected = counted(tmp_path, None, parallelism)
    assert spilled == loaded == []
    assert counted(tmp_path, "0B", parallelism) == expected
    assert len(spilled) >= 3
    assert len(loaded) >= 2, "after each crash"
    assert min(*spilled, *loaded) > 0
    gc.collect()  # CRASH closes nothing
    assert list(tmp_path.iterdir()) == []


def test_the_default_is_a_share_of_the_node() -> None:
    job = spec()
    subtasks = len(job.plan.subtasks()) - len(job.plan.sources())
    assert state_memory(job) == max(64 << 20, int(node_memory() / 2 / subtasks))
    assert state_memory(spec(state_memory=5)) == 5
    assert 0 < node_memory() < 1 << 50
