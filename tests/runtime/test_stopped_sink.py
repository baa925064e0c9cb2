"""A sink that stands still: everything before it waits, and holds no more rows as time passes."""

from __future__ import annotations

from pathlib import Path

import pytest

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.connectors.base import Chunk
from raystream.connectors.datagen import DatagenReader
from raystream.runtime.local import LocalRuntime
from tests.support import stopped_sink


def test_a_sink_that_stands_still_stops_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    poll = DatagenReader.poll

    def counted(self: DatagenReader, max_rows: int) -> Chunk | None:
        chunk = poll(self, max_rows)
        read.append(0 if chunk is None else chunk.frame.height)
        return chunk

    monkeypatch.setattr(DatagenReader, "poll", counted)
    monkeypatch.setattr(stopped_sink, "FLOW_S", 0.0)
    pipeline = rs.Pipeline("stopped", checkpoint_interval="1h")
    rows = pipeline.read(rs.Datagen(rate=None), event_time="ts", parallelism=2)
    sink = stopped_sink.Stopping(3600.0, str(tmp_path / "mark"))
    rows.map_batches(lambda frame: frame, parallelism=1).write(sink)
    job = prepare(pipeline, RunOptions(), str(tmp_path / "store"), 1)
    assert job is not None
    runtime = LocalRuntime(job)
    try:
        while not (tmp_path / "mark").exists():
            runtime.step()
        for _ in range(300):  # what is under way arrives
            runtime.step()
        before = sum(read)
        for _ in range(600):
            runtime.step()
        assert 0 < sum(read) == before
    finally:
        runtime.close()
