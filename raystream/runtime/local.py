"""LocalRuntime: the whole job in one thread; the same tasks, machine and protocol."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from raystream.checkpoint.barrier import Barrier
from raystream.context import Points, nowhere
from raystream.ids import ChannelId, StepName, SubtaskId
from raystream.job.messages import (
    Address,
    Connected,
    Died,
    Dry,
    Opened,
    Pong,
    StopKind,
)
from raystream.job.outcome import Outcome
from raystream.job.spec import JobSpec, OpenRequest
from raystream.observe.status import StatusDocument
from raystream.runtime import registry
from raystream.runtime.build import build_task
from raystream.runtime.channels.memory import MemoryChannel
from raystream.runtime.collector import calm_collector
from raystream.runtime.control import ControlLoop
from raystream.runtime.diary_book import DiaryBook
from raystream.runtime.failure import failure_of
from raystream.runtime.otlp import OtlpMetrics
from raystream.runtime.pace_start import first_ahead
from raystream.runtime.points import points_of
from raystream.runtime.process_log import logged_here
from raystream.runtime.signals import stop_on_signals
from raystream.runtime.snapshot_ack import PendingAck, SegmentRegistry, store_all
from raystream.runtime.snapshot_stream import SnapshotStream
from raystream.runtime.system_clock import SystemClock
from raystream.runtime.tail import Row, TailMarks, check
from raystream.runtime.task import (
    CheckpointComplete,
    Drain,
    Finished,
    Mail,
    Others,
    Progress,
    Snapshot,
    SourceDry,
    Task,
    Trigger,
    Waiting,
)
from raystream.runtime.task_times import TaskTimes
from raystream.runtime.workers import Post
from raystream.storage.base import Store
from raystream.storage.open import job_store
from raystream.time.clock import Clock

BACKGROUND_THREADS = 4
PointsOf = Callable[[str], Points]
"""Name of a process -> its points."""

_LONGEST_WAIT = 0.05


def no_points(process: str) -> Points:
    """No point does anything."""
    return nowhere


class LocalWorkers:
    """Workers whose subtasks are tasks in this thread.

    Args:
        store: The job's storage.
        clock: Clock, virtual in `feed`.
        background: Runs blocking requests of steps.
        wake: Notifies the runtime's loop that there may be work.
        points: Named points of a subtask where tests may kill.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        background: Executor,
        wake: Callable[[], None],
        points: PointsOf = no_points,
    ) -> None:
        self.post: Post = lambda event: None
        self._store = store
        self._clock = clock
        self._background = background
        self._wake = wake
        self._points = points
        self._requests: dict[SubtaskId, OpenRequest] = {}
        self._tasks: dict[SubtaskId, Task] = {}
        self._running = False
        self._segments = SegmentRegistry()
        self._streams: dict[SubtaskId, SnapshotStream] = {}
        self._times: dict[SubtaskId, TaskTimes] = {}
        self._turn: SubtaskId | None = None

    # -- Workers -------------------------------------------------------------------------------

    def open(self, requests: Sequence[OpenRequest], avoid: frozenset[str]) -> None:
        """Drop the last attempt; `connect` builds the tasks."""
        self.close()
        self._requests = {request.subtask: request for request in requests}
        self._segments = SegmentRegistry(requests)
        self._streams = {request.subtask: SnapshotStream(request) for request in requests}
        for request in requests:
            self.post(Opened(request.subtask, request.attempt, None, "local"))

    def connect(self, attempt: int, addresses: Mapping[SubtaskId, Address]) -> None:
        """Build the channels and the tasks."""
        plan = next(iter(self._requests.values())).job.plan
        every = (channel for exchange in plan.exchanges for channel in plan.channels(exchange))
        channels = {
            channel: MemoryChannel(self._wake, limit=first_ahead(plan)) for channel in every
        }
        for request in self._requests.values():
            if not self._build(request, channels):
                return
        for subtask in self._requests:
            self.post(Connected(subtask, attempt))

    def start(self, attempt: int) -> None:
        """Start stepping the tasks."""
        self._running = True

    def trigger(self, attempt: int, barrier: Barrier) -> None:
        """Send the barrier to the sources; snapshots arrive as reports."""
        self._mail_sources(Trigger(barrier))

    def notify_committed(self, attempt: int, checkpoint: int) -> None:
        """Notify every task."""
        for task in self._tasks.values():
            task.mail(CheckpointComplete(checkpoint))

    def drain(self, attempt: int, *, close_windows: bool) -> None:
        """Drain every source."""
        self._mail_sources(Drain(close_windows))

    def ping(self, attempt: int, others: Mapping[SubtaskId, int]) -> None:
        """Answer for every task: all of this thread is alive."""
        for subtask, task in self._tasks.items():
            if subtask in others:
                task.mail(Others(others[subtask]))
            self.post(Pong(subtask, attempt, task.observe().to_dict()))

    def kill(self, subtasks: Sequence[SubtaskId]) -> None:
        """Drop these tasks."""
        for subtask in subtasks:
            self._close_task(self._tasks.pop(subtask, None))

    def tail(self, step: StepName, marks: TailMarks) -> tuple[list[Row], TailMarks]:
        """Rows that passed a step since the last call, and the next marks; from any thread."""
        rows: list[Row] = []
        seen = dict(marks)
        for subtask, task in list(self._tasks.items()):
            found, mark = task.taps.since(step, marks.get(subtask))
            if mark is not None:
                seen[subtask] = mark
            rows += found
        return rows, seen

    def close(self) -> None:
        """Drop everything."""
        self.kill(list(self._tasks))
        self._requests = {}
        self._times = {}
        self._running = False

    # -- running -------------------------------------------------------------------------------

    def step(self) -> float | None:
        """Step every task once; 0 if any worked, else the earliest deadline (None: until woken)."""
        if not self._running:
            return None
        worked = False
        times: list[float] = []
        for subtask in list(self._tasks):
            self._turn = subtask
            try:
                progress = self._step_task(subtask)
            except Exception as error:  # noqa: BLE001 - whatever a step raises fails the attempt
                self._fail(subtask, error)
                return 0.0
            if isinstance(progress, Waiting):
                times += [progress.until] if progress.until is not None else []
            else:
                worked = worked or not isinstance(progress, Finished)
        self._turn = None
        return 0.0 if worked else min(times, default=None)

    def doing(self) -> Mapping[str, Any]:
        """What is at work at the moment, for lines of logs."""
        me = self._turn
        if me is None or me not in self._requests:
            return {}
        attempt = self._requests[me].attempt
        return {"attempt": attempt, "step": me.chain, "subtask": me.index}

    def _step_task(self, subtask: SubtaskId) -> Progress:
        return self._times[subtask].step()

    def _fail(self, subtask: SubtaskId, error: Exception) -> None:
        self._running = False
        self._turn = None
        attempt = self._requests[subtask].attempt
        self.post(Died(subtask, attempt, failure_of(error)))

    def _mail_sources(self, mail: Mail) -> None:
        plan = next(iter(self._requests.values())).job.plan
        for subtask in plan.sources():
            self._tasks[subtask].mail(mail)

    def _build(self, request: OpenRequest, channels: Mapping[ChannelId, MemoryChannel]) -> bool:
        me = request.subtask
        try:
            task = build_task(
                request,
                self._store,
                {channel: link for channel, link in channels.items() if channel.target == me},
                {channel: link for channel, link in channels.items() if channel.source == me},
                clock=self._clock,
                background=self._background,
                report=self._report,
                point=self._points(str(me)),
                wake=self._wake,
            )
            self._tasks[me] = task
            self._times[me] = TaskTimes(task, self._clock.now, queued="backpressured")
        except Exception as error:  # noqa: BLE001 - opening user code or a broker may raise anything
            self._fail(me, error)
            return False
        return True

    @staticmethod
    def _close_task(task: Task | None) -> None:
        if task is None:
            return
        try:
            task.close()
        except Exception:  # noqa: BLE001, S110 - the attempt has failed already; its cause is known
            pass

    # -- snapshots -----------------------------------------------------------------------------

    def _report(self, report: Snapshot | SourceDry) -> None:
        me, attempt = report.subtask, self._requests[report.subtask].attempt
        if isinstance(report, SourceDry):
            self.post(Dry(me, attempt))
            return
        ack = PendingAck(me, attempt, self._segments, self.post, self._clock)
        store_all(self._streams[me].items(report), ack, self._store)


class LocalRuntime:
    """One job in this process.

    Args:
        job: The planned job.
        clock: Clock; the system's unless a test passes its own.
        background: Executor for blocking requests; threads unless a test passes its own.
        store: The job's storage; opened from the job's settings unless given.
        on_status: Called with each new status document.
        points: Named points of a process (`coordinator`, a subtask) where tests may kill.
    """

    def __init__(
        self,
        job: JobSpec,
        clock: Clock | None = None,
        background: Executor | None = None,
        store: Store | None = None,
        on_status: Callable[[StatusDocument], None] | None = None,
        *,
        points: PointsOf = no_points,
    ) -> None:
        self._job = job
        self._woken = threading.Event()
        self._pool = background or ThreadPoolExecutor(BACKGROUND_THREADS, "raystream")
        self._owns_pool = background is None
        self.clock = clock or SystemClock()
        self.store = store or job_store(job.checkpoint.storage, job.name)
        self.workers = LocalWorkers(self.store, self.clock, self._pool, self._woken.set, points)
        self.loop = ControlLoop(
            job,
            self.workers,
            self.store,
            self.clock,
            self._pool,
            publish=on_status,
            point=points("coordinator"),
        )
        self.workers.post = self._post

    def wake(self) -> None:
        """Wake the loop, as there may be work; any thread or signal handler may call it."""
        self._woken.set()

    def _post(self, event: object) -> None:
        self.loop.post(event)  # type: ignore[arg-type]
        self._woken.set()

    def step(self) -> float:
        """Step the loop and every task once; returns the seconds that may be slept."""
        self._woken.clear()
        pause = self.loop.step()
        until = self.workers.step()
        if until is None:
            return pause
        return max(0.0, min(pause, until - self.clock.now()))

    def run(self) -> Outcome:
        """Run until the job ends."""
        try:
            with calm_collector():
                return self._run()
        finally:
            self.close()

    def _run(self) -> Outcome:
        while self.loop.outcome is None:
            pause = self.step()
            if pause > 0:
                self._woken.wait(min(pause, _LONGEST_WAIT))
        return self.loop.outcome

    def tail(self, step: StepName, marks: TailMarks) -> tuple[list[Row], TailMarks]:
        """Rows that passed a step since the last call, from any thread.

        Raises:
            ConfigurationError: at the first call, if there is no such step.
        """
        if not marks:
            check(self._job, step)
        return self.workers.tail(step, marks)

    def close(self) -> None:
        """Release everything."""
        self.workers.close()
        self.loop.refuse_all()
        if self._owns_pool:
            self._pool.shutdown(wait=False, cancel_futures=True)


class InThisProcess:
    """This process as the runtime of a foreground run."""

    cpus = 1

    def __init__(self) -> None:
        self._runtime: LocalRuntime | None = None

    def run(self, job: JobSpec, on_status: Callable[[StatusDocument], None] | None) -> Outcome:
        """Run a job to its end; see `run_local`."""
        return run_local(job, on_status, self._note)

    def _note(self, runtime: LocalRuntime) -> None:
        self._runtime = runtime

    def ask(self, method: str, *arguments: Any) -> Any:
        """See `foreground.Runtime.ask`; another thread asks.

        Raises:
            ConfigurationError: there is no such step.
            RaystreamError: it failed, or the job has ended.
        """
        assert self._runtime is not None
        match method:
            case "stop":
                return self._stop(*arguments)
            case "tail":
                return self._runtime.tail(*arguments)
        answer = self._runtime.loop.request_savepoint(*arguments)
        self._runtime.wake()
        return answer.result()

    def _stop(self, kind: StopKind, savepoint: str | None = None, by: str = "") -> None:
        assert self._runtime is not None
        self._runtime.loop.request_stop(kind, savepoint, by)
        self._runtime.wake()


def run_local(
    job: JobSpec,
    on_status: Callable[[StatusDocument], None] | None = None,
    began: Callable[[LocalRuntime], None] = lambda runtime: None,
) -> Outcome:
    """Run a job in this process, without Ray, to its end; Ctrl-C once stops with a last commit.

    Args:
        job: The planned job.
        on_status: Called with each new status document.
        began: Called with the runtime before it runs.
    """
    book, telemetry = DiaryBook(), OtlpMetrics(os.environ)

    take: list[Callable[[StatusDocument], None]] = [book.take, telemetry.publish]
    take += [on_status] if on_status is not None else []

    def told(status: StatusDocument) -> None:
        for each in take:
            each(status)

    runtime = LocalRuntime(job, on_status=told, points=lambda process: points_of(process, {}))
    book.begin(runtime.loop.past)

    def stop(kind: StopKind) -> None:
        runtime.loop.request_stop(kind)
        runtime.wake()

    began(runtime)
    registry.note(job.name, job.checkpoint.storage)
    outcome = None
    try:
        with (
            logged_here(job.name, runtime.workers.doing) as write,
            stop_on_signals(lambda: stop(StopKind.STOP), lambda: stop(StopKind.CANCEL)),
        ):
            take.insert(0, write)
            outcome = runtime.run()
            return outcome
    finally:
        book.end(outcome)
        telemetry.end()
