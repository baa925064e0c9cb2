"""The actor of a subtask: a shell of short calls around an AttemptRun.

A plain class, made an actor at the call site: `ray.remote(**options)(Subtask)`. Its calls run in
groups of one thread each: `control` (ordered), `query`, `wait` (news and death watch), `snap`. No
call raises: outcomes are values, so no dropped reference of a dead attempt is printed as an error.
Every call carries its attempt; calls of other attempts (a zombie's, or queued while frozen) are
refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray

from raystream.checkpoint.barrier import Barrier
from raystream.ids import StepName, SubtaskId
from raystream.job.messages import Failure
from raystream.runtime.channels.listener import SocketAddress
from raystream.runtime.failure import failure_of
from raystream.runtime.points import points_of
from raystream.runtime.process_log import log_about, log_to_stderr
from raystream.runtime.ray.attempt_run import AttemptRun, News, Over
from raystream.runtime.ray.guard import replace_if_frozen
from raystream.runtime.ray.logs import Marks, Piece, Process, read_here
from raystream.runtime.ray.node_table import listening_host
from raystream.runtime.ray.serialization import differing, unpack_request
from raystream.runtime.ray.session import STOPPED, state_of
from raystream.runtime.ray.watchdog import Lease, watch
from raystream.runtime.snapshot_stream import NewSegment, SnapshotHeader, SnapshotStream
from raystream.runtime.tail import Mark, Row
from raystream.runtime.task import CheckpointComplete, Drain, Mail, Others, Trigger
from raystream.storage.open import job_store

GROUPS = {"control": 1, "query": 1, "wait": 1, "snap": 1}
_RESET_SECONDS = 1.0

_ray_util: Any = ray.util  # has no types


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Location of a process."""

    node: str
    pid: int


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """Arguments of `open`.

    Args:
        attempt: Number of the attempt; must be higher than any that this process has seen.
        job: Bytes of the job.
        request: Bytes of the OpenRequest without its job.
        versions: Versions of the coordinator; this process must have the same.
        environment: Variables of the driver: its brokers' address, named points.
        nodes: Ids of the nodes that Ray lists; a subtask whose node is the only one listens on
            loopback.
    """

    attempt: int
    job: bytes
    request: bytes
    versions: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    nodes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpenReply:
    """The subtask is open: its process and channel address."""

    address: SocketAddress
    whereabouts: Whereabouts


@dataclass(frozen=True, slots=True)
class PingReply:
    """The subtask is alive; counters of its task."""

    stats: Mapping[str, Any]


class Subtask:
    """A process that runs one subtask at a time; without a role it is a spare."""

    def __init__(self) -> None:
        # A thread that holds the GIL must release it sooner: ping p99 is 5 ms instead of 19 ms.
        sys.setswitchinterval(0.0005)
        log_to_stderr()
        self._attempt = -1
        self._run: AttemptRun | None = None
        self._stream: SnapshotStream | None = None
        self._lease = Lease()
        watch(self._lease, self._end)

    def _end(self, code: int) -> None:
        """End this cut-off process; one subtask of the job first replaces a frozen coordinator."""
        run = self._run
        if run is not None and self._lease.expired():
            job = run.request.job
            if run.request.subtask == job.plan.sources()[0]:
                replace_if_frozen(job.name)
        os._exit(code)

    @ray.method(concurrency_group="query")
    def whereabouts(self) -> Whereabouts:
        """Node and pid."""
        return Whereabouts(_node(), os.getpid())

    @ray.method(concurrency_group="control")
    def open(self, order: OpenOrder) -> OpenReply | Failure:
        """Take a role in an attempt; first ends a run of an older attempt (reset in place)."""
        if order.attempt <= self._attempt:
            return _refused(order.attempt, self._attempt)
        if different := differing(order.versions):
            return Failure("engine", f"node {_node()} runs other versions: {different}")
        try:
            return self._open(order)
        except Exception as error:  # noqa: BLE001 - e.g. a user's module is missing on this node
            return failure_of(error)

    @ray.method(concurrency_group="control")
    def connect(self, attempt: int, addresses: Mapping[SubtaskId, SocketAddress]) -> Failure | None:
        """Connect to the downstream subtasks, build the task, restore its state."""
        run = self._current(attempt)
        if run is None:
            return _refused(attempt, self._attempt)
        job = run.request.job
        try:
            run.connect(addresses, job_store(job.checkpoint.storage, job.name))
        except Exception as error:  # noqa: BLE001 - storage, broker, user code
            return failure_of(error)
        self._lease.renew(run.request.lease)
        return None

    @ray.method(concurrency_group="control")
    def start(self, attempt: int) -> Failure | None:
        """Start processing."""
        run = self._current(attempt)
        if run is None:
            return _refused(attempt, self._attempt)
        run.start()
        self._lease.renew(run.request.lease)
        return None

    @ray.method(concurrency_group="control")
    def trigger(self, attempt: int, barrier: Barrier) -> Failure | None:
        """Inject a barrier (sources only)."""
        return self._mail(attempt, Trigger(barrier))

    @ray.method(concurrency_group="control")
    def notify_committed(self, attempt: int, checkpoint: int) -> Failure | None:
        """Notify the task that phase two is done."""
        return self._mail(attempt, CheckpointComplete(checkpoint))

    @ray.method(concurrency_group="control")
    def drain(self, attempt: int, close_windows: bool) -> Failure | None:
        """Stop reading (sources only)."""
        return self._mail(attempt, Drain(close_windows))

    @ray.method(concurrency_group="query")
    def ping(self, attempt: int, others: int | None = None) -> PingReply | Failure:
        """Answer if this process runs the attempt; renews the lease.

        Args:
            attempt: Of the job.
            others: The least event time of the other sources of its group, if it has one.
        """
        run = self._current(attempt)
        if run is None:
            return _refused(attempt, self._attempt)
        self._lease.renew(run.request.lease)
        if others is not None:
            run.mail(Others(others))
        return PingReply(run.stats())

    @ray.method(concurrency_group="query")
    def is_stopped(self, pid: int) -> bool:
        """Whether another process of this node was stopped by a signal."""
        return state_of(pid) == STOPPED

    @ray.method(concurrency_group="query")
    def read_logs(self, processes: Sequence[Process], marks: Marks, lines: int) -> list[Piece]:
        """Log lines of processes of this node; see `logs.read_here`."""
        return read_here(processes, marks, lines)

    @ray.method(concurrency_group="query")
    def tail(self, step: StepName, mark: Mark | None) -> tuple[list[Row], Mark | None]:
        """Rows that passed a step since the mark; see `Taps.since`."""
        return self._run.tail(step, mark) if self._run is not None else ([], None)

    @ray.method(concurrency_group="wait")
    def wait(self, attempt: int) -> News:
        """Wait for news; the call's reference fails when this process dies."""
        run = self._current(attempt)
        return run.next_news() if run is not None else Over()

    @ray.method(concurrency_group="snap")
    def take_snapshot(
        self, attempt: int, checkpoint: int
    ) -> Iterator[SnapshotHeader | NewSegment | Failure | Over]:
        """Wait for the aligned barrier, then stream the snapshot; the stream's end is the ack."""
        run, stream = self._current(attempt), self._stream
        if run is None or stream is None:
            yield _refused(attempt, self._attempt)
            return
        snapshot = run.snapshot(checkpoint)
        if snapshot is None:
            yield Over()  # `wait` reports why it ended
            return
        try:
            yield from stream.items(snapshot)
        except Exception as error:  # noqa: BLE001 - encoding a user's column may fail
            yield failure_of(error)

    def _open(self, order: OpenOrder) -> OpenReply | Failure:
        if self._run is not None and not self._run.stop(_RESET_SECONDS):
            what = "user code did not return, so the subtask cannot be reset"
            return Failure("silent", what)
        self._run = None
        request = unpack_request(order.request, order.job)
        point = points_of(str(request.subtask), order.environment)
        log_about(
            order.environment,
            job=request.job.name,
            attempt=request.attempt,
            step=request.subtask.chain,
            subtask=request.subtask.index,
        )
        host = listening_host(str(_ray_util.get_node_ip_address()), _node(), order.nodes)
        self._stream = SnapshotStream(request)
        self._run = AttemptRun(request, _node(), host, point)
        self._attempt = order.attempt
        self._lease.renew(request.lease)
        here = Whereabouts(_node(), os.getpid())
        return OpenReply(self._run.address, here)

    def _mail(self, attempt: int, mail: Mail) -> Failure | None:
        run = self._current(attempt)
        if run is None:
            return _refused(attempt, self._attempt)
        run.mail(mail)
        return None

    def _current(self, attempt: int) -> AttemptRun | None:
        run = self._run
        return run if run is not None and run.attempt == attempt else None


def _refused(attempt: int, mine: int) -> Failure:
    return Failure("engine", f"a call of attempt {attempt} reached a subtask of attempt {mine}")


def _node() -> str:
    return str(ray.get_runtime_context().get_node_id())
