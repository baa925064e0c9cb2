"""Segments are stored once, small and large ones, and only when all are durable there is an ack."""

from __future__ import annotations

import gc
import queue
import time
import weakref
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
from raystream.operators.operator import StepState
from raystream.runtime.ray.snapshots import SegmentWriter, SnapshotPull, Streamer
from raystream.runtime.snapshot_ack import SegmentRegistry
from raystream.runtime.snapshot_stream import SnapshotHeader, SnapshotStream
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
            yield Failure("user", "cannot be encoded")
            return
        state = StepState(self._segments, {"watermark": 7})
        yield from self._stream.items(Snapshot(ME, checkpoint, {"count": state}))


class Puller:
    def __init__(self, directory: Path) -> None:
        job = counting(directory)
        self.request = OpenRequest(job, 5, ME, "0" * 8, {}, {})
        self.store: Store = job_store(job.checkpoint.storage, job.name)
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.registry = SegmentRegistry([self.request])
        self.writer = SegmentWriter(job, self.store, ThreadPoolExecutor(2))
        self.actor = _remote(num_cpus=0)(Streams).remote(self.request)

    def pull(self, checkpoint: int, *segments: Segment, node: str = "") -> Any:
        ray.get(self.actor.hold.remote(*segments))
        pull = SnapshotPull(
            5,
            checkpoint,
            {ME: Streamer(self.actor, node)},
            self.registry,
            self.writer,
            self.events.put,
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


def test_what_is_on_this_node_is_written_without_another_process(
    puller: Puller, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = str(ray.get_runtime_context().get_node_id())
    puller.writer = SegmentWriter(puller.request.job, puller.store, ThreadPoolExecutor(2), node)
    monkeypatch.setattr(puller.writer, "there", lambda *_: pytest.fail("a task was started"))
    first = puller.pull(1, SMALL, LARGE, node=node)
    assert puller.rows(first.ack) == [3, 200_000]
    more = [Segment(f"6-{index}", LARGE.frame) for index in range(5)]  # than are written at once
    assert puller.rows(puller.pull(2, *more, node=node).ack) == [200_000] * 5
    (gone,) = puller.store.list("state/a5/count/0/6-3")
    puller.store.delete([gone])
    puller.store.create(gone, b"of somebody else")
    again = [Segment("6-3", LARGE.frame.with_columns(m=1))]
    puller.actor = _remote(num_cpus=0)(Streams).remote(puller.request)
    failed = puller.pull(3, *again, node=node)
    assert isinstance(failed, Died)
    assert "another segment has this key" in failed.failure.message


def test_huge_segments_and_those_of_other_nodes_get_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raystream.runtime.ray.snapshots.cpus", lambda: 2)
    job = counting(tmp_path)
    store = job_store(job.checkpoint.storage, job.name)
    writer = SegmentWriter(job, store, ThreadPoolExecutor(1), "here")
    assert writer.may_here(1_000_000, "here")
    assert not writer.may_here(100_000_000, "here")
    assert not writer.may_here(1_000_000, "there")
    assert not writer.may_here(1_000_000, "")


def test_a_failure_in_the_stream_is_an_event(puller: Puller) -> None:
    event = puller.pull(1)
    assert event == Died(ME, 5, Failure("user", "cannot be encoded"))
    ray.kill(puller.actor)


def test_a_subtask_that_dies_before_its_snapshot_is_an_event(puller: Puller) -> None:
    pull = SnapshotPull(
        5, 1, {ME: Streamer(puller.actor, "")}, puller.registry, puller.writer, puller.events.put
    )
    ray.kill(puller.actor)
    pull.start()
    event = puller.events.get(timeout=30)
    assert isinstance(event, Died)
    assert event.failure.kind == "died"


class Blocked(Streams):
    """Its stream is longer than back-pressure lets it go; whoever asks next has to wait for it."""

    def take_snapshot(self, attempt: int, checkpoint: int) -> Iterator[Any]:
        yield SnapshotHeader(ME, checkpoint, {}, (200_000,) * (50 if checkpoint == 1 else 0))
        if checkpoint == 1:
            yield from range(50)


def test_an_abandoned_pull_lets_go_of_its_stream_without_the_collector(puller: Puller) -> None:
    actor = _remote(num_cpus=0, concurrency_groups={"snap": 1})(Blocked).remote(puller.request)

    def pull(checkpoint: int) -> SnapshotPull:
        streamers = {ME: Streamer(actor, "")}
        return SnapshotPull(
            5, checkpoint, streamers, puller.registry, puller.writer, puller.events.put
        )

    puller.writer.most = 0  # nothing but the header is taken: the stream stands still
    gc.collect()
    gc.disable()
    try:
        first = pull(1)
        first.start()
        time.sleep(1.0)
        first.abandon()
        puller.writer.most = 1
        second = pull(2)
        second.start()
        assert isinstance(puller.events.get(timeout=60), Acked)
    finally:
        gc.enable()
        ray.kill(actor)


class Stream:
    """Stands for Ray's."""

    def __next__(self) -> Any:
        raise StopIteration


class Handle:
    """Stands for that of an actor; knows who refers to the streams it gave."""

    def __init__(self) -> None:
        self.given: list[weakref.ref[Stream]] = []
        self.take_snapshot = self

    def options(self, **options: object) -> Handle:
        return self

    def remote(self, attempt: int, checkpoint: int) -> Stream:
        stream = Stream()
        self.given.append(weakref.ref(stream))
        return stream

    def living(self) -> list[Stream | None]:
        return [stream() for stream in self.given if stream() is not None]


@pytest.mark.parametrize("ending", ["abandoned", "dropped", "ended", "failed"])
def test_a_stream_goes_with_its_pull_without_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def wait(refs: list[Any], **options: object) -> tuple[list[Any], list[Any]]:
        if ending == "failed":
            raise RuntimeError("Ray is gone")
        return refs[:1], refs[1:]

    monkeypatch.setattr("raystream.runtime.ray.snapshots.ray.wait", wait)
    monkeypatch.setattr("raystream.runtime.ray.snapshots.cpus", lambda: 2)
    job, handle = counting(tmp_path), Handle()
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    writer = SegmentWriter(job, job_store(job.checkpoint.storage, job.name), ThreadPoolExecutor(1))
    gc.disable()
    try:
        pull = SnapshotPull(5, 1, {ME: Streamer(handle, "")}, SegmentRegistry(), writer, events.put)
        if ending == "abandoned":
            pull.abandon()
        elif ending == "dropped":
            del pull
        else:
            pull.start()
            _until_nobody(handle)
        assert not handle.living()
    finally:
        gc.enable()
    if ending == "failed":
        died = events.get(timeout=5)
        assert "RuntimeError: Ray is gone" in died.failure.message
        assert died.failure.kind == "infrastructure"


def _until_nobody(handle: Handle) -> None:
    deadline = time.monotonic() + 5
    while handle.living() and time.monotonic() < deadline:
        time.sleep(0.01)


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
