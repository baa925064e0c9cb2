"""Pull the snapshots of all subtasks for one checkpoint; each is an ack once it is durable.

Segments of this node are written by threads of this process, which maps them where the subtask left
them; large ones of another node by Ray tasks there, and huge ones too. A few at a time, so that
neither this process nor the object store ever holds a whole state.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from traceback import format_exc
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystream.checkpoint.records import SegmentRef
from raystream.errors import told
from raystream.ids import StepName, SubtaskId
from raystream.job.messages import Failure
from raystream.job.spec import JobSpec
from raystream.runtime.failure import failure_of
from raystream.runtime.ray.attempt_run import Over
from raystream.runtime.ray.cluster import cpus
from raystream.runtime.snapshot_ack import PendingAck, SegmentRegistry, put
from raystream.runtime.snapshot_stream import NewSegment, SnapshotHeader
from raystream.runtime.system_clock import SystemClock
from raystream.runtime.workers import Post
from raystream.storage.base import Store
from raystream.storage.open import job_store

log = logging.getLogger("raystream.snapshots")

_INLINE = 100 * 1024
"""Size up to which Ray sends a value with the answer, so this process has it anyway, bytes.
Larger segments should not go through this process from another node."""

_HUGE = 32 * 1024 * 1024
"""Size from which a segment is written by a process of its own, which gives its memory back, bytes.
For less a process is too dear: it takes 80 MiB and 0.8 s of CPU to start."""

_MOST_WRITERS = 16
_MOST_THREADS = 4
_BACK_PRESSURE = 2
_LOOK = 0.5

_remote: Any = ray.remote  # its stubs do not know every option


@dataclass(frozen=True, slots=True)
class Streamer:
    """A subtask to pull from: its actor, and the node it runs on (empty: unknown)."""

    handle: Any
    node: str


class SegmentWriter:
    """Writes segments, by this process's threads or by Ray tasks.

    Args:
        job: The job.
        store: Its storage.
        background: Threads.
        node: Id of this node; empty: every large segment is another node's.
    """

    def __init__(self, job: JobSpec, store: Store, background: Executor, node: str = "") -> None:
        self._storage, self._job = job.checkpoint.storage, job.name
        self._node = node
        self._store = store
        self._background = background
        # Each working writer is a process that took 0.8 CPU s to start: half the CPUs are enough.
        self.most = min(_MOST_WRITERS, max(1, cpus() // 2))
        self._rooms = threading.Semaphore(min(_MOST_THREADS, self.most))

    def warm_up(self) -> None:
        """Start a worker for the write task: the first one took 2.7 s."""
        _remote(num_cpus=0)(_nothing).remote()

    def here(self, item: NewSegment, then: Callable[[SegmentRef | Exception], None]) -> None:
        """Write in a thread of this process."""

        def write() -> None:
            try:
                put(self._store, item)
            except Exception as error:  # noqa: BLE001 - whatever storage raises fails the attempt
                then(error)
                return
            then(item.ref)

        self._background.submit(write)

    def may_here(self, size: int, node: str) -> bool:
        """Whether a large segment of this node may be written by a thread of this process."""
        return size <= _HUGE and bool(node) and node == self._node

    def mapped(self, ref: Any, inbound: _Inbound, over: threading.Event) -> None:
        """Write a large segment of this node in a thread, once fewer than `most` are written."""
        while not self._rooms.acquire(timeout=_LOOK):
            if over.is_set():
                return

        def write() -> None:
            try:
                step, stored = _put(self._store, ray.get(ref))
            except Exception as error:  # noqa: BLE001 - storage, or the actor died
                inbound.failed(_death(error) if _of_ray(error) else failure_of(error))
            else:
                inbound.stored(step, stored)
            finally:
                self._rooms.release()

        self._background.submit(write)

    def there(self, item: Any, node: str) -> Any:
        """Write in a task on the node of the data; returns a reference to the SegmentRef."""
        near = NodeAffinitySchedulingStrategy(node, soft=True) if node else "DEFAULT"
        task = _remote(num_cpus=0, scheduling_strategy=near, max_retries=3)(write_object)
        return task.remote(self._storage, self._job, item)


def write_object(storage: str, job: str, item: NewSegment) -> tuple[StepName, SegmentRef]:
    """Make a segment durable (the write task)."""
    return _put(job_store(storage, job), item)


def _put(store: Store, item: NewSegment) -> tuple[StepName, SegmentRef]:
    put(store, item)
    return item.step, item.ref


class SnapshotPull:
    """Pulls one checkpoint of one attempt; `start` returns at once, outcomes are events.

    While a Ray stream is referenced, its actor keeps a thread for it and serves no other one; so
    nothing here waits for Python's cyclic collector: only the pulling thread refers to the streams,
    and they are released with it.

    Args:
        attempt: Number of the attempt.
        checkpoint: Number of the checkpoint.
        streamers: Every subtask of the attempt.
        registry: Segments that are already durable.
        writer: Makes the new ones durable.
        post: Receives Acked and Died.
    """

    def __init__(
        self,
        attempt: int,
        checkpoint: int,
        streamers: Mapping[SubtaskId, Streamer],
        registry: SegmentRegistry,
        writer: SegmentWriter,
        post: Post,
    ) -> None:
        self._over = threading.Event()
        tell = _until(self._over, post)
        self._streams: dict[Any, _Inbound] = {
            _stream(streamer, attempt, checkpoint): _Inbound(
                streamer.node, subtask, attempt, registry, tell
            )
            for subtask, streamer in streamers.items()
        }
        self._writer = writer

    def start(self) -> None:
        """Start pulling in a separate thread."""
        streams, self._streams = self._streams, {}
        threading.Thread(
            target=_pull,
            args=(streams, self._writer, self._over),
            name="raystream-pull",
            daemon=True,
        ).start()

    def abandon(self) -> None:
        """Report nothing more: the attempt is over."""
        self._over.set()
        self._streams = {}


def _stream(streamer: Streamer, attempt: int, checkpoint: int) -> Any:
    take = streamer.handle.take_snapshot.options(
        num_returns="streaming", _generator_backpressure_num_objects=_BACK_PRESSURE
    )
    return take.remote(attempt, checkpoint)


def _until(over: threading.Event, post: Post) -> Post:
    def tell(event: Any) -> None:
        if not over.is_set():
            post(event)

    return tell


def _pull(streams: dict[Any, _Inbound], writer: SegmentWriter, over: threading.Event) -> None:
    """Pull until every stream has ended and is written, or the attempt is over."""
    everybody = tuple(streams.values())
    try:
        _take_turns(streams, writer, over)
    except Exception as error:  # noqa: BLE001 - else unnoticed until the timeout
        # As text: a record with the exception would refer to the streams.
        log.error("the snapshots of a checkpoint cannot be pulled:\n%s", format_exc())  # noqa: TRY400
        what = f"the snapshot cannot be fetched: {told(error)}"
        for inbound in everybody:
            inbound.failed(Failure("infrastructure", what))
    finally:
        streams.clear()


def _take_turns(streams: dict[Any, _Inbound], writer: SegmentWriter, over: threading.Event) -> None:
    writes = dict[Any, _Inbound]()
    while (streams or writes) and not over.is_set():
        sources = list(streams) if len(writes) < writer.most else []
        ready, _ = ray.wait([*sources, *writes], num_returns=1, timeout=_LOOK, fetch_local=False)
        for item in ready:
            if item in writes:
                _written(writes.pop(item), item)
            elif not _next_item(item, streams[item], writes, writer, over):
                del streams[item]


def _next_item(
    stream: Any,
    inbound: _Inbound,
    writes: dict[Any, _Inbound],
    writer: SegmentWriter,
    over: threading.Event,
) -> bool:
    """Take one item of a stream; False: it has ended."""
    try:
        ref = next(stream)
    except StopIteration:
        inbound.ended()
        return False
    except Exception as error:  # noqa: BLE001 - the actor died: its death watch reports more
        inbound.failed(_death(error))
        return False
    size = inbound.next_size()
    if size > _INLINE and writer.may_here(size, inbound.node):
        writer.mapped(ref, inbound, over)
        return True
    if size > _INLINE:
        writes[writer.there(ref, inbound.node)] = inbound
        return True
    return _small_item(ref, inbound, writer)


def _small_item(ref: Any, inbound: _Inbound, writer: SegmentWriter) -> bool:
    try:
        item = ray.get(ref)
    except Exception as error:  # noqa: BLE001 - see _next_item
        inbound.failed(_death(error))
        return False
    match item:
        case SnapshotHeader():
            inbound.header(item)
        case NewSegment():
            step = item.step
            writer.here(item, lambda result: inbound.stored(step, result))
        case Failure():
            inbound.failed(item)
        case Over():
            return False
    return True


class _Inbound(PendingAck):
    """The received part of one subtask's snapshot, and the node it comes from."""

    def __init__(
        self, node: str, subtask: SubtaskId, attempt: int, registry: SegmentRegistry, post: Post
    ) -> None:
        super().__init__(subtask, attempt, registry, post, SystemClock())
        self.node = node


def _written(inbound: _Inbound, ref: Any) -> None:
    try:
        step, stored = ray.get(ref)
    except Exception as error:  # noqa: BLE001 - storage, or the worker of the write task
        cause = getattr(error, "cause", None)
        inbound.failed(failure_of(cause if isinstance(cause, Exception) else error))
        return
    inbound.stored(step, stored)


def _of_ray(error: Exception) -> bool:
    return isinstance(error, ray.exceptions.RayError)


def _death(error: Exception) -> Failure:
    return Failure("died", f"the process of the subtask is gone: {type(error).__name__}")


def _nothing() -> None:
    """Occupy a worker for a moment."""
