"""RayWorkers: one actor per subtask; which one is decided by the worker pool of the job.

One thread, the main thread, owns all of this: calls of the control loop and completions of Ray
calls are callbacks put on it, so there are no locks and no call blocks. Outcomes are events for
the control loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import ray

from raystream.checkpoint.barrier import Barrier
from raystream.errors import told
from raystream.ids import StepName, SubtaskId
from raystream.job.messages import (
    Address,
    Connected,
    Died,
    Dry,
    Failure,
    Opened,
    Pong,
    WorkerEvent,
)
from raystream.job.placement import avoidable
from raystream.job.spec import JobSpec, OpenRequest
from raystream.job.worker_pool import (
    EndWorker,
    LocateWorker,
    OpenSubtask,
    PoolCommand,
    ReleaseWorker,
    StartWorker,
    StopWorker,
    WorkerId,
    WorkerPool,
)
from raystream.runtime.ray.actors import Actors, Worker
from raystream.runtime.ray.attempt_run import Over
from raystream.runtime.ray.logs import Process
from raystream.runtime.ray.main_thread import MainThread, Then
from raystream.runtime.ray.serialization import pack_request, versions
from raystream.runtime.ray.snapshots import SegmentWriter, SnapshotPull, Streamer
from raystream.runtime.ray.stillness import Stillness
from raystream.runtime.ray.subtask import OpenOrder, OpenReply, PingReply, Whereabouts
from raystream.runtime.snapshot_ack import SegmentRegistry
from raystream.runtime.tail import tappable
from raystream.runtime.task import SourceDry
from raystream.runtime.workers import Post
from raystream.storage.base import Store

_OVER = -2
"""Attempt number after the end: nothing more is reported."""

_WARM_UP_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_REMEMBERED = 50
"""Number of dead processes whose logs can still be read."""

_SPARE_AFTER_SECONDS = 3.0
"""Seconds after which a spare is worth its cost: shorter jobs rarely see a failure."""

_ray: Any = ray  # its stubs are incomplete


class RayWorkers:
    """Runs the subtasks of a job as Ray actors; see the protocol `Workers`.

    Args:
        job: The job.
        job_bytes: The job as its driver packed it.
        store: The job's storage.
        background: Threads for writing small segments.
        environment: Variables of the driver: its brokers' address, named points.
    """

    def __init__(
        self,
        job: JobSpec,
        job_bytes: bytes,
        store: Store,
        background: Executor,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.post: Post = lambda event: None
        self.share = 0.0
        self._job, self._job_bytes = job, job_bytes
        self._environment = dict(environment or {})
        here = str(ray.get_runtime_context().get_node_id())
        self._writer = SegmentWriter(job, store, background, here)
        self._main_thread = MainThread(self._broken)
        self._actors = Actors(self._main_thread, len(job.plan.chains))
        self._pool = WorkerPool(len(job.plan.subtasks()))
        self._workers: dict[WorkerId, Worker] = {}
        self._requests: dict[SubtaskId, OpenRequest] = {}
        self._attempt = -1
        self._segments = SegmentRegistry()
        self._pull: SnapshotPull | None = None
        self._all: deque[Process] = deque(maxlen=_REMEMBERED + 2 * len(job.plan.subtasks()))
        here = str(ray.get_runtime_context().get_node_id())
        self._stillness = Stillness(self._main_thread, here, self._still)
        self._main_thread.put(self._start_early)

    # -- Workers -------------------------------------------------------------------------------

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        """Open these subtasks for an attempt: Opened or Died for each."""
        self._main_thread.put(lambda: self._open(list(requests), avoid))

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        """Send every subtask the addresses of its targets: Connected or Died for each."""
        plan, known = self._job.plan, dict(addresses)

        def connect() -> None:
            for subtask, worker in self._members(attempt):
                targets = {c.target for c in plan.channels_out_of(subtask)}
                ref = worker.handle.connect.remote(attempt, {t: known[t] for t in targets})
                self._expect(ref, subtask, attempt, Connected(subtask, attempt))

        self._main_thread.put(connect)

    def start(self, attempt: int) -> None:
        """Start every subtask, sinks first; if the job keeps running, prepare for failures."""

        def start() -> None:
            members = dict(self._members(attempt))
            for subtask in reversed(self._job.plan.subtasks()):
                if subtask in members:
                    ref = members[subtask].handle.start.remote(attempt)
                    self._expect(ref, subtask, attempt)
            self._main_thread.after(_WARM_UP_SECONDS, lambda: self._warm_up(attempt))
            self._main_thread.after(_SPARE_AFTER_SECONDS, lambda: self._keep_a_spare(attempt))

        self._main_thread.put(start)

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        """Inject the barrier at the sources and pull every snapshot: Acked or Died for each."""
        self._main_thread.put(lambda: self._trigger(attempt, barrier))

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        """Notify every subtask that phase two is done."""

        def notify() -> None:
            for subtask, worker in self._members(attempt):
                ref = worker.handle.notify_committed.remote(attempt, checkpoint)
                self._expect(ref, subtask, attempt)
            self._keep_a_spare(attempt)

        self._main_thread.put(notify)

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        """Make the sources stop reading: Dry for each source."""

        def drain() -> None:
            self._pool.ending = True
            members = dict(self._members(attempt))
            for subtask in self._job.plan.sources():
                if subtask in members:
                    ref = members[subtask].handle.drain.remote(attempt, close_windows)
                    self._expect(ref, subtask, attempt)

        self._main_thread.put(drain)

    def ping(self, attempt: int, others: Mapping[SubtaskId, int]) -> None:
        """Ask every subtask of the attempt for a Pong."""

        def ping() -> None:
            for subtask, worker in self._members(attempt):
                ref = worker.handle.ping.remote(attempt, others.get(subtask))
                self._main_thread.when(ref, self._ponged(subtask, attempt))
            self._stillness.look(self._members(attempt))

        self._main_thread.put(ping)

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        """Kill these processes reliably."""
        self._main_thread.put(lambda: self._do(self._pool.kill(subtasks)))

    def close(self) -> None:
        """End everything; returns when all processes have been told to end."""
        self._main_thread.close(self._close, timeout=10)

    def processes(self) -> tuple[list[Process], dict[str, Any]]:
        """All processes that ever had a role, newest last; by node a living one, to read logs."""
        answer: Future[tuple[list[Process], dict[str, Any]]] = Future()

        def look() -> None:
            members = [worker for _, worker in self._members(self._attempt)]
            living = {worker.node: worker.handle for worker in members}
            answer.set_result((list(self._all), living))

        if self._attempt == _OVER:
            return list(self._all), {}
        self._main_thread.put(look)
        try:
            return answer.result(_ANSWER_SECONDS)
        except TimeoutError:
            what = f"the list of the job's processes did not come within {_ANSWER_SECONDS:g} s"
            raise TimeoutError(what) from None

    def running(self, step: StepName) -> dict[SubtaskId, Any]:
        """Handles of the subtasks that run a step."""
        chains = {chain.name for chain in self._job.plan.chains if step in tappable([chain])}
        return {s: worker.handle for s, worker in self._assigned() if s.chain in chains}

    def notes(self) -> tuple[str, ...]:
        """Notes about the placement, for people."""
        full = self._actors.full_share()
        if self.share >= full:
            return ()
        return (f"runs with smaller shares: {self.share:g} CPU per subtask instead of {full:g}",)

    # -- events ----------------------------------------------------------------------------------

    def _members(self, attempt: int) -> list[tuple[SubtaskId, Worker]]:
        return self._assigned() if attempt == self._attempt else []

    def _assigned(self) -> list[tuple[SubtaskId, Worker]]:
        assigned = dict(self._pool.assigned)  # one C call: the main thread may change it meanwhile
        found = [(subtask, self._workers.get(worker)) for subtask, worker in assigned.items()]
        return [(subtask, worker) for subtask, worker in found if worker is not None]

    def _tell(self, attempt: int, event: WorkerEvent) -> None:
        if attempt == self._attempt:
            self.post(event)

    def _died(self, subtask: SubtaskId | None, attempt: int, failure: Failure) -> None:
        self._tell(attempt, Died(subtask, attempt, failure))

    def _still(self, subtask: SubtaskId, worker: Worker, what: str) -> None:
        assigned = self._pool.assigned.get(subtask)
        if assigned is not None and self._workers.get(assigned) is worker:
            self._died(subtask, self._attempt, Failure("silent", what))

    def _broken(self, error: Exception) -> None:
        failure = Failure("infrastructure", f"a call to Ray failed: {told(error)}")
        self._died(None, self._attempt, failure)

    def _expect(
        self, ref: Any, subtask: SubtaskId, attempt: int, event: WorkerEvent | None = None
    ) -> None:
        """Expect a call to answer None, then post `event`; report any other answer as Died."""

        def then(result: Any) -> None:
            if result is None:
                if event is not None:
                    self._tell(attempt, event)
            else:
                self._died(subtask, attempt, _failure(result))

        self._main_thread.when(ref, then)

    def _ponged(self, subtask: SubtaskId, attempt: int) -> Then:
        def then(result: Any) -> None:
            if isinstance(result, PingReply):
                worker = self._pool.assigned.get(subtask)
                if worker in self._workers:
                    self._workers[worker].answered()
                self._tell(attempt, Pong(subtask, attempt, result.stats))

        return then

    # -- opening -------------------------------------------------------------------------------

    def _start_early(self) -> None:
        """Start processes while recovery reads the log; `open` assigns their subtasks."""
        subtasks = self._job.plan.subtasks()
        self._actors.look(frozenset())
        self.share = self._actors.share(len(subtasks), ())
        self._do(self._pool.start_early(subtasks, self.share))

    def _open(self, requests: list[OpenRequest], avoid: frozenset[str]) -> None:
        if self._pull is not None:
            self._pull.abandon()
        self._attempt = requests[0].attempt
        self._requests = {request.subtask: request for request in requests}
        self._segments = SegmentRegistry(requests)
        early = self._pool.has_early
        if not early:
            self._actors.look(avoidable(avoid, _alive_nodes()) if avoid else avoid)
        self._do(self._pool.vacate(list(self._requests), self._actors.avoid))
        if not early:
            ours = [worker for _, worker in self._members(self._attempt)]
            self.share = self._actors.share(self._pool.missing, ours)
        self._do(self._pool.assign(self.share))

    def _do(self, commands: Sequence[PoolCommand]) -> None:
        """Carry out all commands, also if one raises: a process that is not ended would stay."""
        errors = []
        for command in commands:
            try:
                self._perform(command)
            except Exception as error:  # noqa: BLE001 - e.g. Ray's control service is away
                errors.append(error)
                if isinstance(command, StartWorker):
                    self._pool.lost(command.worker)
        if errors:
            raise errors[0]

    def _perform(self, command: PoolCommand) -> None:
        match command:
            case StartWorker(worker, title, share):
                self._workers[worker] = self._actors.create(title, share)
            case OpenSubtask(worker, subtask, within):
                if worker in self._workers:
                    self._order(self._requests[subtask], worker, within)
            case LocateWorker(worker, within):
                if worker in self._workers:
                    ref = self._workers[worker].handle.whereabouts.remote()
                    self._main_thread.when(ref, self._located(worker), within)
            case EndWorker(worker):
                self._actors.end_for_sure(self._workers.pop(worker))
            case StopWorker(worker):
                self._actors.end(self._workers.pop(worker))
            case ReleaseWorker(worker):
                self._actors.release(self._workers.pop(worker))

    def _order(self, request: OpenRequest, worker: WorkerId, within: float) -> None:
        order = OpenOrder(
            request.attempt,
            self._job_bytes,
            pack_request(request),
            versions(),
            self._environment,
            self._actors.listed,
        )
        ref = self._workers[worker].handle.open.remote(order)
        self._main_thread.when(ref, lambda result: self._opened(request, worker, result), within)

    def _opened(self, request: OpenRequest, worker: WorkerId, result: Any) -> None:
        subtask, attempt = request.subtask, request.attempt
        if attempt != self._attempt or self._pool.assigned.get(subtask) != worker:
            return
        if isinstance(result, OpenReply):
            process = self._workers[worker]
            process.where = result.whereabouts
            process.answered()
            self._pool.opened(worker, process.node)
            self._remember(Process(str(subtask), process.node, process.where.pid))
            self._watch(subtask, attempt, worker)
            self._tell(attempt, Opened(subtask, attempt, result.address, process.node))
            return
        in_time = not isinstance(result, TimeoutError)
        self._do(self._pool.refused(subtask, in_time=in_time))
        if subtask not in self._pool.assigned:
            self._died(subtask, attempt, _failure(result))

    def _remember(self, process: Process) -> None:
        if process not in self._all:
            self._all.append(process)

    def _warm_up(self, attempt: int) -> None:
        elsewhere = len(self._actors.listed) > 1
        if elsewhere and attempt == self._attempt and not self._pool.ending:
            self._writer.warm_up()

    def _keep_a_spare(self, attempt: int) -> None:
        """Start a spare for the next failure; not in a short run: it costs 0.7 CPU seconds."""
        if attempt == self._attempt:
            self._do(self._pool.want_spare())

    def _located(self, worker: WorkerId) -> Then:
        def then(result: Any) -> None:
            process = self._workers.get(worker)
            if process is None:
                return
            if isinstance(result, Whereabouts):
                process.where = result
                process.answered()
                self._pool.located(worker, process.node)
            else:
                self._do(self._pool.lost(worker))

        return then

    # -- while it runs -------------------------------------------------------------------------

    def _watch(self, subtask: SubtaskId, attempt: int, worker: WorkerId) -> None:
        """Wait for news; if the call itself fails, the process has died."""

        def then(news: Any) -> None:
            if isinstance(news, Over):
                return
            if isinstance(news, SourceDry):
                self._tell(attempt, Dry(subtask, attempt))
                self._watch(subtask, attempt, worker)
                return
            if isinstance(news, Exception) and self._pool.assigned.get(subtask) == worker:
                self._do(self._pool.kill([subtask]))
            self._died(subtask, attempt, _failure(news))

        self._main_thread.when(self._workers[worker].handle.wait.remote(attempt), then)

    def _trigger(self, attempt: int, barrier: Barrier) -> None:
        self._pool.ending = self._pool.ending or barrier.final
        members = dict(self._members(attempt))
        if not members:
            return
        streamers = {s: Streamer(worker.handle, worker.node) for s, worker in members.items()}
        for subtask in self._job.plan.sources():
            if subtask in members:
                ref = members[subtask].handle.trigger.remote(attempt, barrier)
                self._expect(ref, subtask, attempt)
        self._pull = SnapshotPull(
            attempt, barrier.checkpoint, streamers, self._segments, self._writer, self.post
        )
        self._pull.start()

    # -- ending --------------------------------------------------------------------------------

    def _close(self) -> None:
        self._attempt = _OVER
        if self._pull is not None:
            self._pull.abandon()
        self._do(self._pool.close())


def _failure(result: Any) -> Failure:
    """Convert an answer that is not a success into a Failure."""
    if isinstance(result, Failure):
        return result
    if isinstance(result, TimeoutError):
        return Failure("silent", f"the subtask gave {result or 'no answer in time'}")
    if isinstance(result, ray.exceptions.RayActorError):
        return Failure("died", "the process of the subtask is gone")
    return Failure("infrastructure", f"a call to a subtask failed: {type(result).__name__}")


def _alive_nodes() -> frozenset[str]:
    """Nodes that Ray lists as alive; if all of them are suspect, none is avoided."""
    return frozenset(node["NodeID"] for node in _ray.nodes() if node["Alive"])
