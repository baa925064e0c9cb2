"""A snapshot becomes one ack when all of it is durable, whatever comes first, in any runtime."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.checkpoint.records import Committable, StoredState
from raystream.data.segment import Segment
from raystream.errors import StorageError
from raystream.ids import SubtaskId
from raystream.job.messages import Acked, Died
from raystream.job.spec import OpenRequest, RestoreRefs
from raystream.operators.operator import StepState
from raystream.runtime.snapshot_ack import PendingAck, SegmentRegistry, put, store_all
from raystream.runtime.snapshot_stream import NewSegment, SnapshotHeader, SnapshotStream
from raystream.runtime.task import Snapshot
from raystream.storage.memory import MemoryStore
from raystream.storage.segments import put_segment, read_segment
from raystream.time.clock import VirtualClock
from tests.job.example import spec

ME = SubtaskId("count", 0)
SEGMENTS = [Segment(f"5-{n}", pl.DataFrame({"n": [n] * (n + 1)})) for n in range(4)]


class Subtask:
    """Its stream, where its segments go, and what is told of it."""

    def __init__(self, *restored: StoredState) -> None:
        restore = {"count": RestoreRefs(restored, False)} if restored else {}
        self.request = OpenRequest(spec(), 5, ME, "0" * 8, restore, {})
        self.stream = SnapshotStream(self.request)
        self.registry = SegmentRegistry([self.request])
        self.store = MemoryStore()
        self.clock = VirtualClock()
        self.events: list[Any] = []

    def pending(self) -> PendingAck:
        return PendingAck(ME, 5, self.registry, self.events.append, self.clock)

    def take(self, checkpoint: int, *segments: Segment) -> list[Any]:
        return list(self.stream.items(snapshot(checkpoint, *segments)))


def snapshot(checkpoint: int, *segments: Segment) -> Snapshot:
    return Snapshot(ME, checkpoint, {"count": StepState(segments, {"watermark": 7})})


def rows(subtask: Subtask, event: Acked) -> list[int]:
    refs = event.ack.steps["count"].segments
    return [read_segment(subtask.store, ref).frame.height for ref in refs]


@given(st.permutations(range(5)))
def test_the_ack_comes_with_the_last_part_in_any_order(order: list[int]) -> None:
    subtask = Subtask()
    header, *new = subtask.take(1, *SEGMENTS)
    pending = subtask.pending()
    pending.header(header)
    for part in order:
        assert not subtask.events
        if part == len(new):
            pending.ended()
        else:
            put(subtask.store, new[part])
            pending.stored(new[part].step, new[part].ref)
    (acked,) = subtask.events
    assert (acked.attempt, acked.ack.subtask, acked.ack.checkpoint) == (5, ME, 1)
    assert acked.ack.steps["count"].header == {"watermark": 7}
    assert rows(subtask, acked) == [1, 2, 3, 4]


@given(st.lists(st.frozensets(st.integers(0, 3), max_size=4), min_size=1, max_size=5))
def test_a_segment_is_stored_once_while_the_state_holds_it(states: list[frozenset[int]]) -> None:
    subtask, before = Subtask(), frozenset[int]()
    for checkpoint, held in enumerate(states, start=1):
        items = subtask.take(checkpoint, *(SEGMENTS[n] for n in sorted(held)))
        sent = {item.ref.id for item in items if isinstance(item, NewSegment)}
        assert sent == {SEGMENTS[n].id for n in held - before}
        store_all(items, subtask.pending(), subtask.store)
        assert rows(subtask, subtask.events[-1]) == [n + 1 for n in sorted(held)]
        before = held


def test_what_was_restored_unchanged_is_named_at_its_place() -> None:
    old = Subtask()
    store_all(old.take(1, SEGMENTS[0]), old.pending(), old.store)
    restored = Subtask(old.events[0].ack.steps["count"])
    (header,) = restored.take(2, SEGMENTS[0])
    assert isinstance(header, SnapshotHeader)
    store_all([header], restored.pending(), restored.store)
    assert restored.events[0].ack.steps == old.events[0].ack.steps
    assert not restored.store.list("")


def test_a_transaction_grows_older_while_segments_are_written() -> None:
    subtask = Subtask()
    header, new = subtask.take(1, SEGMENTS[0])
    step = header.steps["count"]
    committable = Committable("count", 0, 5, (), "", age_s=1.0)
    header.steps["count"] = type(step)(step.header, step.segments, committable)
    pending = subtask.pending()
    pending.header(header)
    subtask.clock.advance(2.5)
    pending.stored(new.step, new.ref)
    pending.ended()
    aged = subtask.events[0].ack.steps["count"].committable
    assert aged is not None
    assert aged.age_s == 3.5


def test_only_the_first_failure_is_posted_and_no_ack_follows() -> None:
    subtask = Subtask()
    header, first, second = subtask.take(1, *SEGMENTS[:2])
    pending = subtask.pending()
    pending.header(header)
    pending.stored(first.step, StorageError("the disk is full", "here"))
    pending.stored(second.step, StorageError("the disk is still full", "here"))
    pending.ended()
    (died,) = subtask.events
    assert isinstance(died, Died)
    assert (died.subtask, died.attempt) == (ME, 5)
    assert "the disk is full" in died.failure.message


def test_a_write_of_an_old_attempt_that_ends_late_changes_nothing_in_the_next() -> None:
    subtask = Subtask()
    header, new = subtask.take(1, SEGMENTS[0])
    late = subtask.pending()
    late.header(header)
    store_all(subtask.take(2, SEGMENTS[1]), subtask.pending(), subtask.store)
    following = Subtask(subtask.events[0].ack.steps["count"])
    put(subtask.store, new)
    late.stored(new.step, new.ref)
    late.ended()
    store_all(following.take(3, SEGMENTS[1]), following.pending(), following.store)
    assert rows(subtask, following.events[0]) == [2]


def test_another_object_under_the_key_is_an_error_that_names_it() -> None:
    subtask = Subtask()
    _, item = subtask.take(1, SEGMENTS[0])
    subtask.store.create(item.ref.key, b"other")
    with pytest.raises(StorageError, match="another segment has this key") as caught:
        put(subtask.store, item)
    assert item.ref.key in caught.value.where


def test_the_same_object_may_be_there_already() -> None:
    subtask = Subtask()
    _, item = subtask.take(1, SEGMENTS[0])
    for _ in range(2):
        put_segment(subtask.store, item.ref, item.data.tobytes())
    assert subtask.store.list("") == [item.ref.key]
