"""Segments are stored once, small and large ones, and only when all are durable there is an ack."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import ray

from raystream.checkpoint.records import Ack, StoredState
from raystream.data.segment import Segment
from raystream.ids import SubtaskId
from raystream.job.messages import Acked, Died, Failure
from raystream.job.spec import OpenRequest, RestoreRefs
from raystream.operators.base import StepState
from raystream.runtime.ray.snapshot_stream import SnapshotHeader, SnapshotStream
from raystream.runtime.ray.snapshots import SegmentBook, SegmentWriter, SnapshotPull, Streamer
from raystream.runtime.task import Snapshot
from raystream.storage.base import Store
from raystream.storage.open import job_store
from raystream.storage.segments import read_segment
from tests.runtime.ray.jobs import counting

ME = SubtaskId("count", 0)
_remote: Any = ray.remote

SMALL = Segment("5-0", pl.DataFrame({"n": [1, 2, 3]}))
LARGE = Segment("5-1", pl.DataFrame({"n": range(200_000)}))
NEW = Segment("5-2", pl.DataFrame({"n": [4]}))


class Streams:
    """Stands for a subtask: streams the snapshot it was given."""

    def __init__(self, request: OpenRequest) -> None:
        self._stream = SnapshotStream(request)
        self._segments: tuple[Segment, ...] = ()

    def hold(self, *segments: Segment) -> None:
        self._segments = segments

    def take_snapshot(self, attempt: int, checkpoint: int) -> Iterator[Any]:
        if not self._segments:
            yield Failure("user", "can not be encoded")
            return
        state = StepState(self._segments, {"watermark": 7})
        yield from self._stream.items(Snapshot(ME, checkpoint, {"count": state}))


class Puller:
    def __init__(self, directory: Path) -> None:
        job = counting(directory)
        self.request = OpenRequest(job, 5, ME, "0" * 8, {}, {})
        self.store: Store = job_store(job.checkpoint.storage, job.name)
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.book = SegmentBook()
        self.book.opened(self.request)
        self.writer = SegmentWriter(job, self.store, ThreadPoolExecutor(2))
        self.actor = _remote(num_cpus=0)(Streams).remote(self.request)

    def pull(self, checkpoint: int, *segments: Segment) -> Any:
        ray.get(self.actor.hold.remote(*segments))
        pull = SnapshotPull(
            5, checkpoint, {ME: Streamer(self.actor, "")}, self.book, self.writer, self.events.put
        )
        pull.start()
        return self.events.get(timeout=30)

    def rows(self, ack: Ack) -> list[int]:
        state = ack.steps["count"]
        return [read_segment(self.store, ref).frame.height for ref in state.segments]


@pytest.fixture
def puller(tmp_path: Path, ray_cluster: str) -> Puller:
    return Puller(tmp_path)


def test_small_and_large_segments_become_durable_and_are_uploaded_once(puller: Puller) -> None:
    first = puller.pull(1, SMALL, LARGE)
    assert isinstance(first, Acked)
    assert (first.attempt, first.ack.checkpoint) == (5, 1)
    assert first.ack.steps["count"].header == {"watermark": 7}
    assert puller.rows(first.ack) == [3, 200_000]
    puller.store.delete([ref.key for ref in first.ack.steps["count"].segments])
    second = puller.pull(2, SMALL, LARGE, NEW)
    assert len(puller.store.list("state/")) == 1
    kept = second.ack.steps["count"].segments
    assert kept[:2] == first.ack.steps["count"].segments
    assert read_segment(puller.store, kept[2]).frame["n"].to_list() == [4]
    ray.kill(puller.actor)


def test_a_failure_in_the_stream_is_an_event(puller: Puller) -> None:
    event = puller.pull(1)
    assert event == Died(ME, 5, Failure("user", "can not be encoded"))
    ray.kill(puller.actor)


def test_a_subtask_that_dies_before_its_snapshot_is_an_event(puller: Puller) -> None:
    pull = SnapshotPull(
        5, 1, {ME: Streamer(puller.actor, "")}, puller.book, puller.writer, puller.events.put
    )
    ray.kill(puller.actor)
    pull.start()
    event = puller.events.get(timeout=30)
    assert isinstance(event, Died)
    assert event.failure.kind == "died"


def test_restored_segments_are_named_not_sent(tmp_path: Path) -> None:
    request = OpenRequest(counting(tmp_path), 5, ME, "0" * 8, {}, {})
    stream = SnapshotStream(request)
    _, item = stream.items(_snapshot(SMALL))
    restored = StoredState({}, (item.ref,))  # type: ignore[union-attr]
    kept = replace(request, attempt=6, restore={"count": RestoreRefs((restored,), False)})
    (header,) = SnapshotStream(kept).items(_snapshot(SMALL))
    assert isinstance(header, SnapshotHeader)
    assert header.steps["count"].segments == ("5-0",)
    redistributed = replace(kept, restore={"count": RestoreRefs((restored,), True)})
    assert len(list(SnapshotStream(redistributed).items(_snapshot(SMALL)))) == 2


def _snapshot(*segments: Segment) -> Snapshot:
    return Snapshot(ME, 1, {"count": StepState(segments)})
