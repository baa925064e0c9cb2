"""Task: the processing of one subtask, one bounded piece of work at a time, without Ray or threads.

The caller of `step` controls time and threads: the actor's processing thread, the one-process
runtime, or the simulation. Only `mail` may be called from other threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from raystream.checkpoint.barrier import Barrier
from raystream.context import Points, nowhere
from raystream.data.batch import Batch
from raystream.errors import RaystreamError, UserCodeError
from raystream.ids import StepName, SubtaskId
from raystream.observe.json_form import to_json
from raystream.observe.metrics import TaskMetrics
from raystream.operators.function_time import FunctionTime
from raystream.operators.operator import StepState
from raystream.runtime.chain import Chain
from raystream.runtime.element import Element
from raystream.runtime.exchange import Outputs
from raystream.runtime.input import Input
from raystream.runtime.loading import InputEnded
from raystream.runtime.pace import Pace
from raystream.runtime.tail import Taps
from raystream.time.clock import Clock
from raystream.time.watermark import Idle, Watermark


@dataclass(frozen=True, slots=True)
class Trigger:
    """Mail to a source task: inject this barrier."""

    barrier: Barrier


@dataclass(frozen=True, slots=True)
class CheckpointComplete:
    """Mail: phase two of this checkpoint is done."""

    checkpoint: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Mail to a source task: stop reading; `close_windows` sends event time to infinity."""

    close_windows: bool


@dataclass(frozen=True, slots=True)
class Others:
    """Mail to a source task: the least event time of the other sources of its group."""

    lowest: int


Mail = Trigger | CheckpointComplete | Drain | Others


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Report: the subtask's state at a checkpoint; every preparation in it has succeeded.

    `counters` are those at the snapshot, per step.
    """

    subtask: SubtaskId
    checkpoint: int
    steps: Mapping[StepName, StepState]
    counters: Mapping[StepName, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceDry:
    """Report: a source task has emitted everything that it had to read."""

    subtask: SubtaskId


Report = Callable[[Snapshot | SourceDry], None]


@dataclass(frozen=True, slots=True)
class Worked:
    """`step` did something: call it again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to do before `until` (monotonic s; None: until woken); idle | backpressured."""

    until: float | None
    reason: str = "idle"


@dataclass(frozen=True, slots=True)
class Finished:
    """The final barrier has passed and its checkpoint is committed."""


Progress = Worked | Waiting | Finished
WORKED = Worked()
FINISHED = Finished()


LOOK_S = 0.5
"""Interval at which lag, open transactions and state size are read for the status, seconds."""


class Task:
    """The processing of one subtask.

    Args:
        subtask: Its id.
        source: Its input.
        chain: Its operators.
        outputs: Its exchanges.
        clock: Monotonic time for timers.
        report: Receives snapshots, and the news that a source is exhausted.
        metrics: Its counters.
        point: Named points where tests may kill.
        wake: Called from any thread when a preparation is done.
        taps: Taps for viewing its rows.
        pace: How many rows it processes at once; its own unless given.
        release: Called when it is closed, after its operators.
    """

    def __init__(
        self,
        subtask: SubtaskId,
        source: Input,
        chain: Chain,
        outputs: Outputs,
        *,
        clock: Clock,
        report: Report,
        metrics: TaskMetrics,
        point: Points = nowhere,
        wake: Callable[[], None] = lambda: None,
        taps: Taps | None = None,
        pace: Pace | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._pace = pace or Pace()
        self._release = release
        self.subtask = subtask
        self.taps = taps or Taps({}, clock)
        self.metrics = metrics
        self._input = source
        self._chain = chain
        self._outputs = outputs
        self._clock = clock
        self._report = report
        self._point = point
        self._wake = wake
        self._mailbox: deque[tuple[Mail, float]] = deque()
        self._preparing: Snapshot | None = None
        self._final: int | None = None
        self._finished = False
        self._told_dry = False
        self._told_barrier: int | None = None
        self._told_committed = -1
        self._look = 0.0
        self._snapped = 0.0

    def mail(self, mail: Mail) -> None:
        """Add a mail to the mailbox, from any thread; wake the task afterwards."""
        self._mailbox.append((mail, self._clock.now()))

    def step(self) -> Progress:
        """Do one bounded piece of work; never blocks.

        Raises:
            Exception: whatever a step raised; the attempt has failed.
        """
        if self._finished:
            return FINISHED
        if self._mailbox:
            mail, since = self._mailbox.popleft()
            self.metrics.mailbox.add(self._clock.now() - since)
            return self._process_mail(mail)
        if self._prepared():
            return self._hand_in()
        room = self._outputs.room()
        credit = room > 0
        due = self._chain.deadline(may_emit=credit)
        now = self._clock.now()
        if now >= self._look:
            self._look_around(now)
        if due is not None and due <= now:
            self._chain.on_time(now, may_emit=credit)
            self._hand_on()
            return WORKED
        return self._work(due, room)

    def _process_mail(self, mail: Mail) -> Progress:
        match mail:
            case Trigger(barrier):
                self._input.trigger(barrier)
            case Drain(close_windows):
                self._input.drain(close_windows=close_windows)
            case Others(lowest):
                self._input.hear(lowest)
            case CheckpointComplete(checkpoint):
                self._committed(checkpoint)
                self._finished = checkpoint == self._final
        return WORKED

    def _committed(self, checkpoint: int) -> None:
        """Notify once per checkpoint, in order: on the mail or the next barrier, if earlier."""
        if checkpoint > self._told_committed:
            self._told_committed = checkpoint
            self._input.committed(checkpoint)
            self._chain.committed(checkpoint)

    def _work(self, due: float | None, room: int) -> Progress:
        if self._final is not None:
            return Waiting(due)
        taken = self._chain.has_room()
        if not (taken and room):
            self.metrics.waits_for_sink = not taken
            return Waiting(due, "backpressured")
        if self._chain.has_more():  # rows and barriers wait: a snapshot sees all of it or none
            self._chain.proceed()
            self._hand_on()
            return WORKED
        return self._take_element(due, room)

    def _take_element(self, due: float | None, room: int) -> Progress:
        pace = self._pace
        pace.settled(self._clock.now())
        self._input.allow(pace.ahead)
        element = self._input.poll(pace.fit(room))
        if element is not None:
            began = self._clock.now()
            with FunctionTime(self._clock.now) as functions:
                self._handle(element)
            if isinstance(element, Batch):
                pace.worked(len(element), began, self._clock.now(), functions.seconds)
                self._outputs.took(len(element))
            return WORKED
        if not self._told_dry and self._input.dry():
            self._told_dry = True
            self._report(SourceDry(self.subtask))
            return WORKED
        self._chain.on_quiet(self._clock.now())
        self._hand_on()
        times = [time for time in (due, self._input.deadline()) if time is not None]
        return Waiting(min(times, default=None))

    def _handle(self, element: Element | InputEnded) -> None:
        if isinstance(element, Batch):
            try:
                self._chain.process(element, self._input.port())
            except RaystreamError as error:
                self._locate(error)
                raise
            self._hand_on()
        elif isinstance(element, Barrier):
            self._snapshot(element)
        elif isinstance(element, InputEnded):
            self._chain.input_ended(element.port)
            self._hand_on()
        else:
            self._advance(element)

    def _locate(self, error: RaystreamError) -> None:
        """Add the record of a failed row to the error: only the source knows it."""
        origin = ""
        if error.places or isinstance(error, UserCodeError):
            origin = self._input.origin(error.places)
        if origin:
            error.extend(f", {origin}")
            error.record += self._input.origin(error.places[:1])  # where a batch ends may vary

    def _advance(self, news: Watermark | Idle) -> None:
        if isinstance(news, Watermark):
            self.metrics.watermark_in = news.time
        self._chain.on_watermark(news)
        self._hand_on()

    def _hand_on(self) -> None:
        for news in self._chain.passed():
            self._outputs.broadcast(news)
            if isinstance(news, Watermark):
                self.metrics.watermark_out = news.time

    def _snapshot(self, barrier: Barrier) -> None:
        self._point("aligned")
        number = barrier.checkpoint
        if self._told_barrier is not None:
            # The barrier came through the channels and may overtake the mail, but it is only sent
            # after the checkpoint before it is committed (step 1).
            self._committed(self._told_barrier)
        self._told_barrier = number
        began = self._clock.now()
        steps = {**self._input.snapshot(number)}
        steps.update(self._chain.snapshot(number, final=barrier.final))
        counted = self.metrics.counted()
        self._snapped = self._clock.now()
        align = self._input.align_seconds()
        self.metrics.took(number, align_s=align, sync_s=self._snapped - began)
        self._outputs.broadcast(barrier)
        self._point("barrier passed on")
        self._preparing = Snapshot(self.subtask, number, steps, counted)
        for state in steps.values():
            if state.prepared is not None:
                state.prepared.add_done_callback(lambda _: self._wake())
        if barrier.final:
            self._final = number

    def _prepared(self) -> bool:
        if self._preparing is None:
            return False
        prepared = (state.prepared for state in self._preparing.steps.values())
        return all(future is None or future.done() for future in prepared)

    def _hand_in(self) -> Progress:
        snapshot, self._preparing = self._preparing, None
        assert snapshot is not None
        for state in snapshot.steps.values():
            if state.prepared is not None:
                state.prepared.result()
        self._point("acked")
        flushed = self._clock.now() - self._snapped
        wall = self._clock.wall_ms()
        self.metrics.took(snapshot.checkpoint, flush_s=flushed, handed_in_ms=wall)
        self._report(snapshot)
        return WORKED

    def _look_around(self, now: float) -> None:
        """Update the gauges: here, since clients may be called by only one thread."""
        self._look = now + LOOK_S
        metrics = self.metrics
        held = self._input.held_back_by()
        metrics.held_back_by = ", ".join(held[:3]) if held else None
        metrics.lag = self._input.lag()
        metrics.splits = self._input.splits()
        metrics.lowest = self._input.lowest()
        gauges = self._chain.gauges()
        metrics.state_bytes = int(gauges.get("state_bytes", 0))
        metrics.state_disk_bytes = int(gauges.get("state_disk_bytes", 0))
        metrics.timers = int(gauges.get("timers", 0))
        metrics.windows_open = int(gauges.get("windows_open", 0))
        metrics.silent = to_json([*self._input.silent().values(), *self._chain.silent()])
        transactions = self._chain.transactions()
        metrics.transactions = to_json(transactions)
        metrics.open_transactions = len(transactions)
        metrics.oldest_transaction_s = max((each.age_s for each in transactions), default=0.0)

    def observe(self) -> TaskMetrics:
        """The counters, at most LOOK_S old while the task is stepped; callable from any thread."""
        return self.metrics

    def close(self) -> None:
        """Release everything; nothing pre-committed is aborted."""
        try:
            self._chain.close()
        finally:
            self._input.close()
            self._outputs.close()
            self._release()
