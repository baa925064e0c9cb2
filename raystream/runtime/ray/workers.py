"""RayWorkers: one actor per subtask, survivors reset in place, dead ones replaced by a warm spare.

One thread, the desk, owns all of this: calls of the control loop and completions of Ray calls are
notes put on it, so there are no locks and no call blocks. Outcomes are events for the control loop.
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
from raystream.runtime.ray.actors import Actors, Worker
from raystream.runtime.ray.attempt_run import Over
from raystream.runtime.ray.desk import Desk, Then
from raystream.runtime.ray.logs import Process
from raystream.runtime.ray.parcels import pack_request, versions
from raystream.runtime.ray.snapshots import SegmentWriter, SnapshotPull, Streamer
from raystream.runtime.ray.subtask import OpenOrder, OpenReply, PingReply, Whereabouts
from raystream.runtime.ray.tails import tappable
from raystream.runtime.snapshot_ack import SegmentRegistry
from raystream.runtime.task import SourceDry
from raystream.runtime.workers import Post
from raystream.storage.base import Store

_OVER = -2
"""Attempt number after the end: nothing more is reported."""

_RESET_SECONDS = 2.0
_SPARE_SECONDS = 3.0
_START_SECONDS = 15.0
_START_SECONDS_EACH = 1.5
"""Starting a process costs 0.7 CPU seconds; Ray starts as many at a time as there are cores."""

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
        self._writer = SegmentWriter(job, store, background)
        self._desk = Desk(self._broken)
        self._actors = Actors(self._desk, len(job.plan.chains))
        self._seated: dict[SubtaskId, Worker] = {}
        self._spares: list[Worker] = []
        self._requests: dict[SubtaskId, OpenRequest] = {}
        self._attempt = -1
        self._segments = SegmentRegistry()
        self._pull: SnapshotPull | None = None
        self._ending = False
        self._all: deque[Process] = deque(maxlen=_REMEMBERED + 2 * len(job.plan.subtasks()))
        self._early: dict[SubtaskId, Worker] = {}
        self._desk.put(self._make_early)

    # -- Workers -------------------------------------------------------------------------------

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        """Open these subtasks for an attempt: Opened or Died for each."""
        self._desk.put(lambda: self._open(list(requests), avoid))

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        """Send every subtask the addresses of its targets: Connected or Died for each."""
        plan, known = self._job.plan, dict(addresses)

        def connect() -> None:
            for subtask, worker in self._members(attempt):
                targets = {c.target for c in plan.channels_out_of(subtask)}
                ref = worker.handle.connect.remote(attempt, {t: known[t] for t in targets})
                self._expect(ref, subtask, attempt, Connected(subtask, attempt))

        self._desk.put(connect)

    def start(self, attempt: int) -> None:
        """Start every subtask, sinks first; if the job keeps running, prepare for failures."""

        def start() -> None:
            members = dict(self._members(attempt))
            for subtask in reversed(self._job.plan.subtasks()):
                if subtask in members:
                    ref = members[subtask].handle.start.remote(attempt)
                    self._expect(ref, subtask, attempt)
            self._desk.after(_WARM_UP_SECONDS, lambda: self._warm_up(attempt))
            self._desk.after(_SPARE_AFTER_SECONDS, lambda: self._keep_a_spare(attempt))

        self._desk.put(start)

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        """Inject the barrier at the sources and pull every snapshot: Acked or Died for each."""
        self._desk.put(lambda: self._trigger(attempt, barrier))

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        """Notify every subtask that phase two is done."""

        def notify() -> None:
            for subtask, worker in self._members(attempt):
                ref = worker.handle.notify_committed.remote(attempt, checkpoint)
                self._expect(ref, subtask, attempt)
            self._keep_a_spare(attempt)

        self._desk.put(notify)

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        """Make the sources stop reading: Dry for each source."""

        def drain() -> None:
            self._ending = True
            members = dict(self._members(attempt))
            for subtask in self._job.plan.sources():
                if subtask in members:
                    ref = members[subtask].handle.drain.remote(attempt, close_windows)
                    self._expect(ref, subtask, attempt)

        self._desk.put(drain)

    def ping(self, attempt: int) -> None:
        """Ask every subtask of the attempt for a Pong."""

        def ping() -> None:
            for subtask, worker in self._members(attempt):
                self._desk.when(worker.handle.ping.remote(attempt), self._ponged(subtask, attempt))

        self._desk.put(ping)

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        """Kill these processes reliably."""

        def kill() -> None:
            for worker in [self._seated.pop(s, None) for s in subtasks]:
                if worker is not None:
                    self._actors.end_for_sure(worker)

        self._desk.put(kill)

    def close(self) -> None:
        """End everything; returns when all processes have been told to end."""
        self._desk.close(self._close, timeout=10)

    def processes(self) -> tuple[list[Process], dict[str, Any]]:
        """All processes that ever had a role, newest last; by node a living one, to read logs."""
        answer: Future[tuple[list[Process], dict[str, Any]]] = Future()

        def look() -> None:
            living = {worker.node: worker.handle for worker in self._seated.values()}
            answer.set_result((list(self._all), living))

        if self._attempt == _OVER:
            return list(self._all), {}
        self._desk.put(look)
        try:
            return answer.result(_ANSWER_SECONDS)
        except TimeoutError:
            what = f"the list of the job's processes did not come within {_ANSWER_SECONDS:g} s"
            raise TimeoutError(what) from None

    def running(self, step: StepName) -> dict[SubtaskId, Any]:
        """Handles of the subtasks that run a step."""
        chains = {chain.name for chain in self._job.plan.chains if step in tappable([chain])}
        seated = dict(self._seated)  # one C call: the desk may change it meanwhile
        return {s: worker.handle for s, worker in seated.items() if s.chain in chains}

    def notes(self) -> tuple[str, ...]:
        """Notes about the placement, for people."""
        full = self._actors.full_share()
        if self.share >= full:
            return ()
        return (f"runs with smaller shares: {self.share:g} CPU per subtask instead of {full:g}",)

    # -- events ----------------------------------------------------------------------------------

    def _members(self, attempt: int) -> list[tuple[SubtaskId, Worker]]:
        return list(self._seated.items()) if attempt == self._attempt else []

    def _tell(self, attempt: int, event: WorkerEvent) -> None:
        if attempt == self._attempt:
            self.post(event)

    def _died(self, subtask: SubtaskId | None, attempt: int, failure: Failure) -> None:
        self._tell(attempt, Died(subtask, attempt, failure))

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

        self._desk.when(ref, then)

    def _ponged(self, subtask: SubtaskId, attempt: int) -> Then:
        def then(result: Any) -> None:
            if isinstance(result, PingReply):
                worker = self._seated.get(subtask)
                if worker is not None:
                    worker.answered()
                self._tell(attempt, Pong(subtask, attempt, result.stats))

        return then

    # -- opening -------------------------------------------------------------------------------

    def _make_early(self) -> None:
        """Start processes while recovery reads the log; `open` assigns their roles."""
        subtasks = self._job.plan.subtasks()
        self._actors.look(frozenset())
        self.share = self._actors.share(len(subtasks), ())
        for subtask in subtasks:
            self._early[subtask] = self._actors.create(subtask.chain, self.share)

    def _open(self, requests: list[OpenRequest], avoid: frozenset[str]) -> None:
        if self._pull is not None:
            self._pull.abandon()
        self._attempt = requests[0].attempt
        self._ending = False
        self._requests = {request.subtask: request for request in requests}
        self._segments = SegmentRegistry(requests)
        if not self._early:
            self._make_room(avoid)
        for request in requests:
            worker = self._seated.get(request.subtask)
            if worker is None:
                self._seat(request)
            else:
                worker.origin = "survivor"
                self._order(request, worker, _RESET_SECONDS)

    def _make_room(self, avoid: frozenset[str]) -> None:
        """Release processes without a role or on a bad node; compute the share of the others."""
        self._actors.look(avoidable(avoid, _alive_nodes()) if avoid else avoid)
        bad = self._actors.avoid
        for subtask, worker in list(self._seated.items()):
            if subtask not in self._requests or worker.node in bad:
                self._actors.end_for_sure(self._seated.pop(subtask))
        new = len(self._requests) - len(self._seated)
        self.share = self._actors.share(new, list(self._seated.values()))

    def _seat(self, request: OpenRequest) -> None:
        """Give a subtask without a process a waiting one, or a new one."""
        early = self._early.pop(request.subtask, None)
        if early is not None:
            self._take(request, early)
            return
        bad = self._actors.avoid
        spare = next((s for s in self._spares if s.where and s.node not in bad), None)
        if spare is not None:
            self._spares.remove(spare)
            self._seated[request.subtask] = spare
            self._order(request, spare, _SPARE_SECONDS)
            return
        self._seat_new(request, self.share)

    def _seat_new(self, request: OpenRequest, share: float) -> None:
        self._take(request, self._actors.create(request.subtask.chain, share))

    def _take(self, request: OpenRequest, worker: Worker) -> None:
        self._seated[request.subtask] = worker
        self._order(request, worker, self._patience())

    def _patience(self) -> float:
        return _START_SECONDS + _START_SECONDS_EACH * len(self._job.plan.subtasks())

    def _order(self, request: OpenRequest, worker: Worker, timeout: float) -> None:
        order = OpenOrder(
            request.attempt,
            self._job_bytes,
            pack_request(request),
            versions(),
            self._environment,
            self._actors.listed,
        )
        ref = worker.handle.open.remote(order)
        self._desk.when(ref, lambda result: self._opened(request, worker, result), timeout)

    def _opened(self, request: OpenRequest, worker: Worker, result: Any) -> None:
        subtask, attempt = request.subtask, request.attempt
        if attempt != self._attempt or self._seated.get(subtask) is not worker:
            return
        if isinstance(result, OpenReply):
            worker.where = result.whereabouts
            worker.answered()
            self._remember(Process(str(subtask), worker.node, worker.where.pid))
            self._watch(subtask, attempt, worker)
            self._tell(attempt, Opened(subtask, attempt, result.address, worker.node))
            return
        del self._seated[subtask]
        self._actors.end_for_sure(worker)
        if worker.origin != "new":
            self._seat(request)
        elif worker.share and isinstance(result, TimeoutError):
            self._seat_new(request, 0.0)  # its share may not be free any more
        else:
            self._died(subtask, attempt, _failure(result))

    def _remember(self, process: Process) -> None:
        if process not in self._all:
            self._all.append(process)

    def _warm_up(self, attempt: int) -> None:
        if attempt == self._attempt and not self._ending:
            self._writer.warm_up()

    def _keep_a_spare(self, attempt: int) -> None:
        """Create a spare for the next failure; not in a short run: it costs 0.7 CPU seconds."""
        if self._spares or self._ending or attempt != self._attempt:
            return
        spare = self._actors.create("spare", 0)
        spare.origin = "spare"
        self._spares.append(spare)
        self._desk.when(
            spare.handle.whereabouts.remote(), self._spare_ready(spare), self._patience()
        )

    def _spare_ready(self, spare: Worker) -> Then:
        def then(result: Any) -> None:
            if isinstance(result, Whereabouts):
                spare.where = result
                spare.answered()
            elif spare in self._spares:
                self._spares.remove(spare)
                self._actors.end_for_sure(spare)

        return then

    # -- while it runs -------------------------------------------------------------------------

    def _watch(self, subtask: SubtaskId, attempt: int, worker: Worker) -> None:
        """Wait for news; if the call itself fails, the process has died."""

        def then(news: Any) -> None:
            if isinstance(news, Over):
                return
            if isinstance(news, SourceDry):
                self._tell(attempt, Dry(subtask, attempt))
                self._watch(subtask, attempt, worker)
                return
            if isinstance(news, Exception) and self._seated.get(subtask) is worker:
                del self._seated[subtask]
                self._actors.end_for_sure(worker)
            self._died(subtask, attempt, _failure(news))

        self._desk.when(worker.handle.wait.remote(attempt), then)

    def _trigger(self, attempt: int, barrier: Barrier) -> None:
        self._ending = self._ending or barrier.final
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
        for worker in self._seated.values():
            self._actors.end(worker)
        for worker in (*self._early.values(), *self._spares):
            self._actors.release(worker)
        for workers in (self._seated, self._early, self._spares):
            workers.clear()


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
