"""RayWorkers: one actor per subtask, survivors reset in place, the dead replaced by a warm spare.

One thread, the desk, owns all of this: calls of the control loop and completions of Ray calls are
notes put on it, so there are no locks and no call waits. Outcomes are events for the control loop.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystream.checkpoint.barrier import Barrier
from raystream.ids import SubtaskId
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
from raystream.runtime.ray.attempt_run import Over
from raystream.runtime.ray.node_table import Node, listed_nodes, taken_by_others
from raystream.runtime.ray.parcels import pack_request, versions
from raystream.runtime.ray.shares import cpu_share
from raystream.runtime.ray.snapshots import SegmentBook, SegmentWriter, SnapshotPull, Streamer
from raystream.runtime.ray.subtask import (
    GROUPS,
    OpenOrder,
    OpenReply,
    PingReply,
    Subtask,
    Whereabouts,
)
from raystream.runtime.ray.watchdog import end_process
from raystream.runtime.task import SourceDry
from raystream.runtime.workers import Post
from raystream.storage.base import Store

_OVER = -2
"""Number of no attempt: nothing is told any more."""

_RESET_SECONDS = 2.0
_SPARE_SECONDS = 3.0
_START_SECONDS = 15.0
_START_SECONDS_EACH = 1.5
"""Starting a process costs 0.7 CPU seconds; Ray starts as many at a time as there are cores."""

Then = Callable[[Any], None]

_ray: Any = ray  # its stubs are incomplete


@dataclass(eq=False, slots=True)
class Worker:
    """An actor we made.

    Args:
        handle: Its Ray handle; kept, or the actor ends.
        origin: How it came to its role: `new`, `spare`, `survivor`.
        share: CPUs it reserves.
        where: Node and pid, once it has said so.
    """

    handle: Any
    origin: str
    share: float
    where: Whereabouts | None = None

    @property
    def node(self) -> str:
        """Node it runs on, empty while unknown."""
        return self.where.node if self.where is not None else ""


class RayWorkers:
    """Runs the subtasks of a job as Ray actors; see the protocol `Workers`.

    Args:
        job: The job.
        job_bytes: The job as its driver packed it.
        store: The job's storage.
        background: Threads for writing small segments.
        environment: Variables for named points, empty outside tests.
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
        self._here = str(ray.get_runtime_context().get_node_id())
        self._desk: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._alarms: list[tuple[float, Callable[[], None]]] = []
        self._seated: dict[SubtaskId, Worker] = {}
        self._spares: list[Worker] = []
        self._requests: dict[SubtaskId, OpenRequest] = {}
        self._avoid: frozenset[str] = frozenset()
        self._attempt = -1
        self._others: dict[str, float] | None = None
        self._usable: list[str] = []
        self._created = 0
        self._book = SegmentBook()
        self._pull: SnapshotPull | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="raystream-desk", daemon=True)
        self._thread.start()
        self._desk.put(self._writer.warm_up)

    # -- Workers -------------------------------------------------------------------------------

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        """Open these subtasks for an attempt: Opened or Died for each."""
        self._desk.put(lambda: self._open(list(requests), avoid))

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        """Tell every subtask where its targets are: Connected or Died for each."""
        plan, known = self._job.plan, dict(addresses)

        def connect() -> None:
            for subtask, worker in self._members(attempt):
                targets = {c.target for c in plan.channels_out_of(subtask)}
                ref = worker.handle.connect.remote(attempt, {t: known[t] for t in targets})
                self._expect(ref, subtask, attempt, Connected(subtask, attempt))

        self._desk.put(connect)

    def start(self, attempt: int) -> None:
        """Let every subtask run, sinks first; then make a spare for the next failure."""

        def start() -> None:
            members = dict(self._members(attempt))
            for subtask in reversed(self._job.plan.subtasks()):
                if subtask in members:
                    ref = members[subtask].handle.start.remote(attempt)
                    self._expect(ref, subtask, attempt)
            self._keep_a_spare()

        self._desk.put(start)

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        """Inject the barrier at the sources and pull every snapshot: Acked or Died for each."""
        self._desk.put(lambda: self._trigger(attempt, barrier))

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        """Phase two is done."""

        def notify() -> None:
            for subtask, worker in self._members(attempt):
                ref = worker.handle.notify_committed.remote(attempt, checkpoint)
                self._expect(ref, subtask, attempt)

        self._desk.put(notify)

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        """Sources stop reading: Dry for each source."""

        def drain() -> None:
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
                self._when(worker.handle.ping.remote(attempt), self._ponged(subtask, attempt))

        self._desk.put(ping)

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        """End these processes for sure."""
        doomed = list(subtasks)
        self._desk.put(lambda: self._end_all([self._seated.pop(s, None) for s in doomed]))

    def close(self) -> None:
        """End everything; returns when all processes were told to end."""
        self._desk.put(self._close)
        self._closed.wait(timeout=10)

    def node_of(self, subtask: SubtaskId) -> str:
        """Id of the node it runs on (empty: unknown)."""
        worker = self._seated.get(subtask)
        return worker.node if worker is not None else ""

    # -- the desk ------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                note = self._desk.get(timeout=self._pause())
            except queue.Empty:
                note = self._ring_alarms
            try:
                note()
            except Exception as error:  # noqa: BLE001 - e.g. Ray's control service is away
                self._all_died(error)

    def _pause(self) -> float | None:
        if not self._alarms:
            return None
        return max(0.0, min(at for at, _ in self._alarms) - time.monotonic())

    def _ring_alarms(self) -> None:
        now = time.monotonic()
        due = [alarm for alarm in self._alarms if alarm[0] <= now]
        self._alarms = [alarm for alarm in self._alarms if alarm[0] > now]
        for _, ring in due:
            ring()

    def _when(self, ref: Any, then: Then, timeout: float | None = None) -> None:
        """Call `then` at the desk with the result, the exception, or a TimeoutError; just once."""
        waiting = [then]

        def finish(result: Any) -> None:
            if waiting:
                waiting.pop()(result)

        def done(future: Future[Any]) -> None:
            result = future.exception() or future.result()
            self._desk.put(lambda: finish(result))

        ref.future().add_done_callback(done)
        if timeout is not None:
            late = time.monotonic() + timeout, lambda: finish(TimeoutError("no answer in time"))
            self._alarms.append(late)

    def _members(self, attempt: int) -> list[tuple[SubtaskId, Worker]]:
        return list(self._seated.items()) if attempt == self._attempt else []

    def _tell(self, attempt: int, event: WorkerEvent) -> None:
        if attempt == self._attempt:
            self.post(event)

    def _died(self, subtask: SubtaskId, attempt: int, failure: Failure) -> None:
        self._tell(attempt, Died(subtask, attempt, failure))

    def _all_died(self, error: Exception) -> None:
        failure = Failure("infrastructure", f"a call to Ray failed: {error}")
        for subtask in self._requests:
            self._died(subtask, self._attempt, failure)

    def _expect(
        self, ref: Any, subtask: SubtaskId, attempt: int, event: WorkerEvent | None = None
    ) -> None:
        """A call that answers None; then `event` is posted."""

        def then(result: Any) -> None:
            if result is None:
                if event is not None:
                    self._tell(attempt, event)
            else:
                self._died(subtask, attempt, _failure(result))

        self._when(ref, then)

    def _ponged(self, subtask: SubtaskId, attempt: int) -> Then:
        def then(result: Any) -> None:
            if isinstance(result, PingReply):
                self._tell(attempt, Pong(subtask, attempt, result.stats))

        return then

    # -- opening -------------------------------------------------------------------------------

    def _open(self, requests: list[OpenRequest], avoid: frozenset[str]) -> None:
        if self._pull is not None:
            self._pull.abandon()
        avoid = avoidable(avoid, _alive_nodes()) if avoid else avoid
        self._attempt = requests[0].attempt
        listed = listed_nodes()
        self._avoid = avoid | {node.id for node in listed if not node.answers()}
        self._requests = {request.subtask: request for request in requests}
        for request in requests:
            self._book.opened(request)
        gone = [
            s for s, w in self._seated.items() if s not in self._requests or w.node in self._avoid
        ]
        self._end_all([self._seated.pop(subtask) for subtask in gone])
        self._set_share(listed)
        for request in requests:
            worker = self._seated.get(request.subtask)
            if worker is None:
                self._seat(request)
            else:
                worker.origin = "survivor"
                self._order(request, worker, _RESET_SECONDS)

    def _set_share(self, listed: Sequence[Node]) -> None:
        if self._others is None:
            self._others = taken_by_others(listed)
        new = len(self._requests) - len(self._seated)
        usable = [node for node in listed if node.id not in self._avoid]
        self._usable = [node.id for node in usable if node.cpus] or [node.id for node in usable]
        free = [self._free_on(node) for node in usable]
        self.share = cpu_share(len(self._job.plan.chains), new, free)

    def _free_on(self, node: Node) -> float:
        others = (self._others or {}).get(node.id, 0.0)
        ours = sum(worker.share for worker in self._seated.values() if worker.node == node.id)
        return max(node.cpus - others - ours, 0.0)

    def _seat(self, request: OpenRequest) -> None:
        """Give a subtask without a process a spare one, or a new one."""
        spare = next((s for s in self._spares if s.where and s.node not in self._avoid), None)
        if spare is not None:
            self._spares.remove(spare)
            self._seated[request.subtask] = spare
            self._order(request, spare, _SPARE_SECONDS)
            return
        self._seat_new(request, self.share)

    def _seat_new(self, request: OpenRequest, share: float) -> None:
        worker = self._create(request.subtask.chain, share)
        self._seated[request.subtask] = worker
        patience = _START_SECONDS + _START_SECONDS_EACH * len(self._requests)
        self._order(request, worker, patience)

    def _order(self, request: OpenRequest, worker: Worker, timeout: float) -> None:
        order = OpenOrder(
            request.attempt,
            self._job_bytes,
            pack_request(request),
            versions(),
            self._environment,
        )
        ref = worker.handle.open.remote(order)
        self._when(ref, lambda result: self._opened(request, worker, result), timeout)

    def _opened(self, request: OpenRequest, worker: Worker, result: Any) -> None:
        subtask, attempt = request.subtask, request.attempt
        if attempt != self._attempt or self._seated.get(subtask) is not worker:
            return
        if isinstance(result, OpenReply):
            worker.where = result.whereabouts
            self._watch(subtask, attempt, worker)
            self._tell(attempt, Opened(subtask, attempt, result.address, worker.node))
            return
        del self._seated[subtask]
        self._end_all([worker])
        if worker.origin != "new":
            self._seat(request)
        elif worker.share and isinstance(result, TimeoutError):
            self._seat_new(request, 0.0)  # its share may be free nowhere: somebody was faster
        else:
            self._died(subtask, attempt, _failure(result))

    def _create(self, name: str, share: float) -> Worker:
        options: dict[str, Any] = {
            "num_cpus": share,
            "max_restarts": 0,
            "max_task_retries": 0,
            "enable_task_events": False,
            "concurrency_groups": GROUPS,
            "scheduling_strategy": "SPREAD",
        }
        if not share and self._usable:
            # Ray spreads only what reserves something, and may put the rest on a dead node.
            node = self._usable[self._created % len(self._usable)]
            self._created += 1
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=True)
        elif self._avoid:
            away = ",".join(sorted(self._avoid))
            options["label_selector"] = {"ray.io/node-id": f"!in({away})"}
        named = type(name, (Subtask,), {})  # Ray shows the class as the title of the process
        return Worker(_ray.remote(**options)(named).remote(), "new", share)

    def _keep_a_spare(self) -> None:
        if self._spares:
            return
        spare = self._create("spare", 0)
        spare.origin = "spare"
        self._spares.append(spare)
        patience = _START_SECONDS + _START_SECONDS_EACH * len(self._requests)
        self._when(spare.handle.whereabouts.remote(), self._spare_ready(spare), patience)

    def _spare_ready(self, spare: Worker) -> Then:
        def then(result: Any) -> None:
            if isinstance(result, Whereabouts):
                spare.where = result
            elif spare in self._spares:
                self._spares.remove(spare)
                self._end_all([spare])

        return then

    # -- while it runs -------------------------------------------------------------------------

    def _watch(self, subtask: SubtaskId, attempt: int, worker: Worker) -> None:
        """Wait for news; that the call itself fails is the news that the process died."""

        def then(news: Any) -> None:
            if isinstance(news, Over):
                return
            if isinstance(news, SourceDry):
                self._tell(attempt, Dry(subtask, attempt))
                self._watch(subtask, attempt, worker)
                return
            if isinstance(news, Exception) and self._seated.get(subtask) is worker:
                del self._seated[subtask]
                self._end_all([worker])
            self._died(subtask, attempt, _failure(news))

        self._when(worker.handle.wait.remote(attempt), then)

    def _trigger(self, attempt: int, barrier: Barrier) -> None:
        members = dict(self._members(attempt))
        if not members:
            return
        streamers = {s: Streamer(worker.handle, worker.node) for s, worker in members.items()}
        for subtask in self._job.plan.sources():
            if subtask in members:
                ref = members[subtask].handle.trigger.remote(attempt, barrier)
                self._expect(ref, subtask, attempt)
        self._pull = SnapshotPull(
            attempt, barrier.checkpoint, streamers, self._book, self._writer, self.post
        )
        self._pull.start()

    # -- ending --------------------------------------------------------------------------------

    def _end_all(self, workers: Sequence[Worker | None]) -> None:
        for worker in workers:
            if worker is not None:
                self._end(worker)

    def _end(self, worker: Worker) -> None:
        ray.kill(worker.handle, no_restart=True)
        if worker.where is None:
            return
        if worker.node == self._here:
            end_process(worker.where.pid)
        else:
            pinned = NodeAffinitySchedulingStrategy(worker.node, soft=False)
            task = _ray.remote(num_cpus=0, scheduling_strategy=pinned, max_retries=0)(end_process)
            self._when(task.remote(worker.where.pid), lambda result: None)

    def _close(self) -> None:
        self._attempt = _OVER
        if self._pull is not None:
            self._pull.abandon()
        self._end_all([*self._seated.values(), *self._spares])
        self._seated.clear()
        self._spares.clear()
        self._closed.set()


def _failure(result: Any) -> Failure:
    """What a call answered instead of success, as a Failure."""
    if isinstance(result, Failure):
        return result
    if isinstance(result, TimeoutError):
        return Failure("silent", "the subtask did not answer in time")
    if isinstance(result, ray.exceptions.RayActorError):
        return Failure("died", "the process of the subtask is gone")
    return Failure("infrastructure", f"a call to a subtask failed: {type(result).__name__}")


def _alive_nodes() -> frozenset[str]:
    """Nodes that Ray has not given up: with all of them suspect, none is avoided."""
    return frozenset(node["NodeID"] for node in _ray.nodes() if node["Alive"])
