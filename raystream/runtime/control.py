"""ControlLoop: inbox -> JobMachine -> workers and procedures; the same in every runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from secrets import token_bytes, token_hex
from threading import Event
from typing import Any

from raystream.checkpoint.protocol.procedure import Procedure
from raystream.connectors.base import Committer, CommitterContext
from raystream.context import Points, nowhere
from raystream.errors import told
from raystream.ids import StepName
from raystream.job.context import RestoreStates
from raystream.job.machine import JobMachine
from raystream.job.messages import (
    Acked,
    Answer,
    CheckpointRequested,
    Connect,
    Died,
    DiscardSavepoint,
    Drain,
    End,
    Failure,
    JobCommand,
    JobEvent,
    KeepSavepoint,
    Kill,
    NotifyCommitted,
    Open,
    Ping,
    ProcedureDone,
    ProcedureFailed,
    Publish,
    RunProcedure,
    Start,
    StopKind,
    StopRequested,
    Tick,
    Trigger,
    UserEvent,
    WorkerEvent,
)
from raystream.job.outcome import Outcome
from raystream.job.spec import JobSpec
from raystream.observe.culprit import with_silences
from raystream.observe.history import History
from raystream.observe.status import StatusDocument
from raystream.plan import restore as of_plan
from raystream.runtime.answers import Answers
from raystream.runtime.copying import Copying
from raystream.runtime.listened import ListenedStore
from raystream.runtime.past import Past
from raystream.runtime.procedures import Sleeper, confirm_storage, run_procedure
from raystream.runtime.workers import Workers
from raystream.storage.base import Store
from raystream.storage.open import store_id
from raystream.time.clock import Clock

TICK_S = 0.02
"""Least seconds between ticks; bounds the delay of a failure's 50 ms, a ping or a trigger."""

LONGEST_WAIT_S = 1.0

Committers = Mapping[StepName, Committer]
MakeCommitters = Callable[[int], Committers]
"""Committers of every sink for an attempt (-1: before the first one is known)."""


class Abandoned(Exception):  # noqa: N818 - the job is over
    """A waiting procedure is abandoned because the job ended; the next recovery finishes it."""


class Inbox:
    """Queue of events for the loop; `post` may be called by any thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[JobEvent] = SimpleQueue()

    def post(self, event: JobEvent) -> None:
        """Add an event."""
        self._queue.put(event)

    def take(self, timeout: float = 0.0) -> JobEvent | None:
        """The next event, or None after `timeout` seconds without one."""
        try:
            return self._queue.get(timeout=timeout) if timeout > 0 else self._queue.get_nowait()
        except Empty:
            return None


class ControlLoop:
    """Drives one job.

    Two modes: `step()` alternates with other work of the same thread (the one-process runtime);
    `run()` has a thread of its own (the coordinator actor). Procedures run in `background`, one at
    a time; with an inline executor they run inside `step`.

    Args:
        spec: The job.
        workers: Runs the subtasks; its events go to `inbox.post`.
        store: The job's storage, rooted at `<storage>/<job>/`.
        clock: Monotonic and wall time.
        background: Runs procedures; must be able to run one.
        copying: Writes and deletes savepoints; None: `background`. With a thread of its own,
            checkpoints continue meanwhile.
        inbox: Created beforehand if the workers need its `post`.
        committers: Makes the committers of an attempt; None: from the sinks of the plan.
        publish: Receives each status document.
        point: Named points where tests may kill.
        sleep: Waits for a procedure; None: real seconds, cut short when the job ends.
        nonce: Random text of this process; None: generated here.
        restore_states: What each subtask restores (plan.restore); None: that of the plan.
        header: What a restore must know about the plan; None: that of the plan.

    Raises:
        StorageError: the storage cannot be used.
    """

    def __init__(
        self,
        spec: JobSpec,
        workers: Workers,
        store: Store,
        clock: Clock,
        background: Executor,
        *,
        inbox: Inbox | None = None,
        committers: MakeCommitters | None = None,
        publish: Callable[[StatusDocument], None] | None = None,
        point: Points = nowhere,
        sleep: Sleeper | None = None,
        nonce: str | None = None,
        copying: Executor | None = None,
        restore_states: RestoreStates | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> None:
        self.inbox = inbox or Inbox()
        self.store_id = spec.store_id or store_id(store)
        self.outcome: Outcome | None = None
        self.status: StatusDocument | None = None
        self.history = History()
        self.past = Past(store, spec.name, spec.run)
        self._workers = workers
        self._store = ListenedStore(store, clock)
        self._clock = clock
        self._background = background
        self._publish = publish
        self._point = point
        self._sleep = sleep or self._sleep_until_end
        self._ended = Event()
        self._crash: BaseException | None = None
        self._running: Future[Any] | None = None
        self._committers = _Committers(committers or committers_of(spec, self.store_id))
        self._answers = Answers(spec.name)
        self._copying = Copying(store, copying or background, self.inbox.post, point)
        removed = spec.allow_non_restored_state
        self._machine = JobMachine(
            spec,
            self.store_id,
            nonce or token_hex(8),
            clock.now(),
            new_key=lambda: token_bytes(32),
            restore_states=restore_states or partial(of_plan.restore_states, allow_removed=removed),
            header=of_plan.job_header(spec.plan) if header is None else header,
        )
        self._machine.context.report.began(clock.wall_ms())
        self._begun = False

    @property
    def attempt(self) -> int:
        """Number of the current attempt, -1 before the first."""
        return self._machine.context.attempt

    @property
    def state(self) -> str:
        """Name of the job's state."""
        return self._machine.state.name

    def post(self, event: WorkerEvent | UserEvent) -> None:
        """Post an event to the loop, from any thread."""
        self.inbox.post(event)

    def request_stop(self, kind: StopKind, savepoint: str | None = None, by: str = "") -> None:
        """Request a stop, drain or cancel, from any thread.

        Args:
            kind: Kind of stop.
            savepoint: Keep the last checkpoint here (an address, empty: the default place); its
                address is in the outcome. None: do not keep it.
            by: Who requests it, for people.
        """
        keep = None if savepoint is None else self._request(savepoint)[0]
        self.inbox.post(StopRequested(kind, keep, by))

    def request_checkpoint(self) -> Future[int]:
        """Request a checkpoint now, from any thread.

        Returns:
            Its number, once it is committed; raises RaystreamError if the job ends before.
        """
        request, answer = self._request(None)
        self.inbox.post(request)
        return answer

    def request_savepoint(self, target: str | None = None) -> Future[str]:
        """Request a savepoint now, from any thread.

        Args:
            target: A path or URL; None: below the job's storage.

        Returns:
            Its address, once it is complete; raises RaystreamError if it cannot be written, or the
            job ends before.
        """
        request, answer = self._request(target or "")
        self.inbox.post(request)
        return answer

    def _request(self, keep: str | None) -> tuple[CheckpointRequested, Future[Any]]:
        ticket, answer = self._answers.expect()
        return CheckpointRequested(ticket, keep, token_hex(3)), answer

    def step(self) -> float:
        """Handle all waiting events and one tick; never waits itself.

        Returns:
            Seconds until another step is useful, if no event arrives before.

        Raises:
            BaseException: raised by a test's point inside a procedure to end this process.
        """
        if not self._begun:
            self._begun = True
            self.past.begin(self._clock.wall_ms())
            self._do(self._machine.begin())
        while self.outcome is None:
            event = self.inbox.take()
            if event is None:
                break
            self._handle(event)
        if self.outcome is None:
            self._do(self._machine.handle(self._tick()))
        return 0.0 if self.outcome is not None else self._pause()

    def _pause(self) -> float:
        """Until a tick has something to do: fifty a second took half of the coordinator's CPU."""
        return max(TICK_S, self._machine.due() - self._clock.now())

    def _tick(self) -> Tick:
        now = self._clock.now()
        return next((Tick(now, s.who, s.seconds) for s in self._store.silent()), Tick(now))

    def run(self) -> Outcome:
        """Run the job to its end in this thread. Blocking."""
        while self.outcome is None:
            wait = self.step()
            event = self.inbox.take(min(wait, LONGEST_WAIT_S)) if self.outcome is None else None
            if event is not None:
                self._handle(event)
        return self.outcome

    def _handle(self, event: JobEvent) -> None:
        crash = self._crash or self._copying.crash
        if crash is not None:
            raise crash
        if isinstance(event, Died | Acked | ProcedureFailed | ProcedureDone):
            self._do(self._machine.handle(Tick(self._clock.now())))  # so that `now` is exact
        self._do(self._machine.handle(event))

    # --- performing commands

    def _do(self, commands: list[JobCommand]) -> None:
        for command in commands:
            try:
                self._perform(command)
            except Exception as error:
                self._workers_failed(command, error)

    def _perform(self, command: JobCommand) -> None:
        workers = self._workers
        match command:
            case RunProcedure(procedure, then):
                self._start(procedure, then)
            case Open(requests, avoid):
                workers.open(requests, avoid)
            case Connect(attempt, addresses):
                workers.connect(attempt, addresses)
            case Start(attempt):
                workers.start(attempt)
            case Trigger(attempt, barrier):
                workers.trigger(attempt, barrier)
            case NotifyCommitted(attempt, checkpoint):
                workers.notify_committed(attempt, checkpoint)
            case Drain(attempt, close_windows):
                workers.drain(attempt, close_windows=close_windows)
            case Ping(attempt, others):
                workers.ping(attempt, others)
            case Kill(subtasks):
                workers.kill(subtasks)
            case KeepSavepoint():
                self._copying.keep(command)
            case DiscardSavepoint(address):
                self._copying.discard(address)
            case Answer(ticket, result):
                self._answers.give(ticket, result)
            case Publish(status):
                self._show(status)
            case End(outcome):
                self._end(outcome)

    def _workers_failed(self, command: JobCommand, error: Exception) -> None:
        """Fail the attempt because a call on the workers raised; no subtask is the cause."""
        if isinstance(command, Publish | End):
            return  # a status that cannot be published must not stop the job
        text = f"{type(command).__name__}: {told(error)}"
        opened = self._machine.context.opened
        self.inbox.post(Died(None, opened, Failure("infrastructure", text)))

    def _show(self, status: StatusDocument) -> None:
        status = with_silences(status, self._store.silent())
        self.status = status
        self.history.add(status)
        if self._publish is not None:
            self._publish(status)

    def _end(self, outcome: Outcome) -> None:
        self._ended.set()
        try:
            self._workers.close()
        finally:
            self.past.end(outcome, self.status)
            self.outcome = outcome
            self.refuse_all()
            if self._running is None or self._running.done():
                self._committers.close()  # otherwise when the procedure that uses them returns

    def refuse_all(self) -> None:
        """Fail all pending requests: the loop no longer runs."""
        self._answers.close()

    # --- procedures

    def _start(self, procedure: Procedure[Any], then: str) -> None:
        attempt = self._machine.context.attempt
        self._running = self._background.submit(self._run, procedure, then, attempt)
        self._running.add_done_callback(lambda done: self._returned(done, then))

    def _run(self, procedure: Procedure[Any], then: str, attempt: int) -> Any:
        if then == "recover":
            confirm_storage(self._store, self.store_id, self._sleep)
        committers = self._committers.of(attempt)
        return run_procedure(
            procedure,
            self._store,
            committers,
            self._clock,
            point=self._point,
            sleep=self._sleep,
        )

    def _returned(self, future: Future[Any], then: str) -> None:
        if future.cancelled():
            return
        if self._ended.is_set():
            self._committers.close()
        exception = future.exception()
        if exception is None:
            self.inbox.post(ProcedureDone(then, future.result()))
            return
        if not isinstance(exception, Exception):
            self._crash = exception  # a test ends this process here: do not catch it
        self.inbox.post(ProcedureFailed(then, exception))

    def _sleep_until_end(self, seconds: float) -> None:
        if self._ended.wait(seconds):
            raise Abandoned


class _Committers:
    """The committers of the current attempt; created on the thread that uses them."""

    def __init__(self, make: MakeCommitters) -> None:
        self._make = make
        self._attempt: int | None = None
        self._made: Committers = {}

    def of(self, attempt: int) -> Committers:
        if attempt != self._attempt:
            self.close()
            self._made = self._make(attempt)
            self._attempt = attempt
        return self._made

    def close(self) -> None:
        made, self._made, self._attempt = self._made, {}, None
        for committer in made.values():
            committer.close()


def committers_of(spec: JobSpec, store_id: str) -> MakeCommitters:
    """Make committers from the sinks of the plan; a sink that needs no phase two has none."""

    def make(attempt: int) -> Committers:
        made = {}
        for sink in spec.plan.sinks():
            context = CommitterContext(spec.name, store_id, sink.name, attempt)
            committer = sink.step.sink.committer(context)
            if committer is not None:
                made[sink.name] = committer
        return made

    return make
