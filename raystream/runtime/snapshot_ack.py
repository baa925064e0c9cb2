"""From the items of a snapshot stream to its ack: when all segments are durable, in any runtime."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping

from raystream.checkpoint.records import Ack, SegmentRef, StoredState
from raystream.ids import StepName, SubtaskId
from raystream.job.messages import Acked, Died, Failure
from raystream.job.spec import OpenRequest
from raystream.runtime.failure import failure_of
from raystream.runtime.snapshot_stream import NewSegment, SnapshotHeader
from raystream.runtime.workers import Post
from raystream.storage.base import Store
from raystream.storage.segments import put_segment
from raystream.time.clock import Clock

Refs = dict[tuple[StepName, str], SegmentRef]
"""Step and segment id -> location."""


class SegmentRegistry:
    """The segments of each subtask that are durable in one attempt, and their locations.

    Each attempt has its own: a write that began in an older one may end during the next.

    Args:
        requests: The subtasks of the attempt; what they restore unchanged is durable.
    """

    def __init__(self, requests: Iterable[OpenRequest] = ()) -> None:
        self._refs = {request.subtask: request.kept_segments() for request in requests}

    def known(self, subtask: SubtaskId) -> Mapping[tuple[StepName, str], SegmentRef]:
        """Step and segment id -> location."""
        return self._refs.get(subtask, {})

    def replace(self, subtask: SubtaskId, refs: Refs) -> None:
        """Keep only the segments of the newest checkpoint: an id that left never returns."""
        self._refs[subtask] = refs


class PendingAck:
    """The snapshot of one subtask on its way to storage; posts Acked or Died, once.

    Completions may come from several threads.

    Args:
        subtask: Whose snapshot it is.
        attempt: Number of the attempt.
        registry: Segments that are durable already.
        post: Receives the event.
        clock: For the age of open transactions while segments are written.
    """

    def __init__(
        self,
        subtask: SubtaskId,
        attempt: int,
        registry: SegmentRegistry,
        post: Post,
        clock: Clock,
    ) -> None:
        self._subtask, self._attempt = subtask, attempt
        self._registry = registry
        self._post = post
        self._clock = clock
        self._lock = threading.Lock()
        self._header: SnapshotHeader | None = None
        self._sizes: Iterator[int] = iter(())
        self._missing = 0
        self._new: Refs = {}
        self._ended = False
        self._posted = False
        self._arrived = 0.0

    def header(self, header: SnapshotHeader) -> None:
        """The first item has come."""
        self._arrived = self._clock.now()
        self._header = header
        self._sizes = iter(header.sizes)
        self._missing = len(header.sizes)

    def next_size(self) -> int:
        """Approximate bytes of the segment that is the next item; 0: it is no segment."""
        return next(self._sizes, 0)

    def stored(self, step: StepName, result: SegmentRef | Exception) -> None:
        """A segment is durable, or could not be written."""
        if isinstance(result, Exception):
            self.failed(failure_of(result))
            return
        with self._lock:
            self._new[step, result.id] = result
            self._missing -= 1
        self._post_if_complete()

    def ended(self) -> None:
        """No item follows."""
        with self._lock:
            self._ended = True
        self._post_if_complete()

    def failed(self, failure: Failure) -> None:
        """It will not be complete."""
        with self._lock:
            if self._posted:
                return
            self._posted = True
        self._post(Died(self._subtask, self._attempt, failure))

    def _post_if_complete(self) -> None:
        with self._lock:
            if self._posted or not self._ended or self._missing or self._header is None:
                return
            self._posted = True
            header = self._header
        steps = self._stored_states(header, self._clock.now() - self._arrived)
        ack = Ack(self._subtask, header.checkpoint, steps, header.counters)
        self._post(Acked(self._attempt, ack))

    def _stored_states(self, header: SnapshotHeader, writing: float) -> dict[StepName, StoredState]:
        refs = {**self._registry.known(self._subtask), **self._new}
        used = {
            (step, segment): refs[step, segment]
            for step, state in header.steps.items()
            for segment in state.segments
        }
        self._registry.replace(self._subtask, used)
        return {
            step: StoredState(
                state.header, tuple(used[step, s] for s in state.segments), state.committable
            ).older(writing)
            for step, state in header.steps.items()
        }


def put(store: Store, item: NewSegment) -> None:
    """Create the segment's object, unless the same object already exists.

    Raises:
        StorageError: another object has its key, or the storage does not answer.
    """
    put_segment(store, item.ref, item.data.tobytes())


def store_all(items: Iterable[SnapshotHeader | NewSegment], ack: PendingAck, store: Store) -> None:
    """Store a whole snapshot in this thread, one segment at a time.

    Raises:
        StorageError: a segment could not be written.
    """
    for item in items:
        if isinstance(item, SnapshotHeader):
            ack.header(item)
        else:
            put(store, item)
            ack.stored(item.step, item.ref)
    ack.ended()
