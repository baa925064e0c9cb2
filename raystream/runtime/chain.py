"""A chain: operators fused into one subtask, rows forwarded by plain calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from raystream.data.batch import Batch
from raystream.ids import StepName
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence
from raystream.operators.operator import Operator, Restored, StepState
from raystream.runtime.exchange import Outputs
from raystream.runtime.tail import Tap
from raystream.runtime.uneven import evened, is_uneven
from raystream.time.watermark import Idle, Watermark

STEP_OF_ERROR = "raystream_step"
"""Attribute set on an exception: name of the step in which it was raised."""

Count = Callable[[StepName, str, int], None]

T = TypeVar("T")


class StepOutput:
    """The Output of one step: rows go to the next step, side outputs to their exchanges.

    `check_first` checks the first rows for the next step, where only they determine its columns.
    """

    def __init__(
        self,
        step: StepName,
        outputs: Outputs,
        count: Count,
        follower: tuple[StepName, Operator] | None,
        check_first: Callable[[Batch], None] | None = None,
    ) -> None:
        self._step = step
        self._check_first = check_first
        self._outputs = outputs
        self._count = count
        self._follower = follower
        self.tap: Tap | None = None

    def emit(self, batch: Batch, tag: str = "", port: int = 0) -> None:
        """Forward a batch; `port` is the input of the next step that it is for."""
        if not len(batch):
            return
        if tag:
            if not self._outputs.emit(self._step, tag, batch):
                self._count(self._step, f"dropped_{tag}_rows", len(batch))
            return
        count, size = self._count, int(batch.frame.estimated_size())
        count(self._step, "rows_out", len(batch))
        count(self._step, "bytes_out", size)
        if self.tap is not None and not self.tap.take(batch):
            self.tap = None
        if self._follower is None:
            self._outputs.emit(self._step, "main", batch)
        else:
            name, operator = self._follower
            count(name, "rows_in", len(batch))
            count(name, "bytes_in", size)
            if self._check_first is not None:
                check, self._check_first = self._check_first, None
                guarded(name, check, batch)
            guarded(name, operator.process, batch, port)

    def consumed(self, tag: str) -> bool:
        """Whether this side output is consumed."""
        return self._outputs.consumed(self._step, tag)


def guarded(step: StepName, call: Callable[..., T], *args: object) -> T:
    """Call, and mark an exception with the innermost step that raised it."""
    try:
        return call(*args)
    except Exception as error:
        if not hasattr(error, STEP_OF_ERROR):
            setattr(error, STEP_OF_ERROR, step)
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a panic of Polars, SystemExit: they would end the thread
        told = RuntimeError(f"{type(error).__name__}: {error}")
        setattr(told, STEP_OF_ERROR, step)
        raise told from error


class Chain:
    """Operators in order; the head receives the rows of the task's input.

    Args:
        operators: (step name, operator), first to last; already open.
        head: Output of what is in front of them.
        remake: Creates another operator of a step.
    """

    def __init__(
        self,
        operators: Sequence[tuple[StepName, Operator]],
        head: StepOutput,
        remake: Callable[[StepName], Operator] | None = None,
    ) -> None:
        self._operators = list(operators)
        self._remake = remake
        self._uneven: list[tuple[StepName, Operator, Restored]] = []
        self._head = head
        self._passing: deque[tuple[int, Watermark | Idle]] = deque()
        self._passed: deque[Watermark | Idle] = deque()

    def process(self, batch: Batch, port: int = 0) -> None:
        """Process rows of one input of the first step."""
        self._head.emit(batch, port=port)
        self._pass_on()

    def input_ended(self, port: int) -> None:
        """Notify the first step that an input which is read before the others has ended."""
        step, operator = self._operators[0]
        guarded(step, operator.input_ended, port)
        self._pass_on()

    def on_quiet(self, now: float) -> None:
        """Notify every step that no input is waiting."""
        for step, operator in self._operators:
            guarded(step, operator.on_quiet, now)
        self._pass_on()

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Pass event time through every step in order; it waits where output is pending."""
        self._passing.append((0, watermark))
        self._pass_on()

    def has_more(self) -> bool:
        """Whether a step has more output, and holds back event time until it is emitted."""
        return bool(self._uneven) or any(operator.has_more() for _, operator in self._operators)

    def proceed(self) -> None:
        """Emit one piece of pending output, of the last step with any: earlier ones add to it."""
        if self._uneven:
            self._even_out(*self._uneven.pop())
            return
        for step, operator in reversed(self._operators):
            if operator.has_more():
                guarded(step, operator.proceed)
                break
        self._pass_on()

    def passed(self) -> Iterator[Watermark | Idle]:
        """Take the event time that has passed every step."""
        while self._passed:
            yield self._passed.popleft()

    def _pass_on(self) -> None:
        self._gather()
        while self._passing and not self.has_more():
            index, news = self._passing.popleft()
            if index == len(self._operators):
                self._passed.append(news)
                continue
            step, operator = self._operators[index]
            guarded(step, operator.on_watermark, news)
            handed_on = operator.hands_on(news)
            if handed_on is not None:
                self._passing.appendleft((index + 1, handed_on))
            self._gather()

    def _gather(self) -> None:
        """Pass event time that steps emit themselves through the steps after them."""
        for index, (_, operator) in enumerate(self._operators):
            self._passing.extend((index + 1, news) for news in operator.own_news())

    def deadline(self, *, may_emit: bool = True) -> float | None:
        """Earliest deadline of the steps; without credit, only of steps that never emit on time."""
        called = (one for _, one in self._operators if may_emit or not one.emits_on_time)
        times = [operator.deadline() for operator in called]
        return min((time for time in times if time is not None), default=None)

    def on_time(self, now: float, *, may_emit: bool = True) -> None:
        """Call the steps that are due."""
        for step, operator in self._operators:
            due = operator.deadline() if may_emit or not operator.emits_on_time else None
            if due is not None and due <= now:
                guarded(step, operator.on_time, now)
        self._pass_on()

    def has_room(self) -> bool:
        """Whether every step can accept rows."""
        return all(operator.has_room() for _, operator in self._operators)

    def restore(self, states: dict[StepName, Restored]) -> None:
        """Restore the state of each step; what that emits is pending output."""
        for step, operator in self._operators:
            if step in states and self._remake is not None and is_uneven(states[step]):
                self._uneven.append((step, operator, states[step]))
            elif step in states:
                guarded(step, operator.restore, states[step])

    def _even_out(self, step: StepName, operator: Operator, restored: Restored) -> None:
        assert self._remake is not None
        even = guarded(step, evened, restored, partial(self._remake, step))
        guarded(step, operator.restore, even)

    def snapshot(self, checkpoint: int, *, final: bool) -> dict[StepName, StepState]:
        """State of every step that has any."""
        found = {}
        for step, operator in self._operators:
            state = operator.snapshot(checkpoint, final=final)
            if state is not None:
                found[step] = state
        return found

    def gauges(self) -> dict[str, float]:
        """Current gauges of all steps: maximum for ages, else the sum."""
        found: dict[str, float] = {}
        for _, operator in self._operators:
            for name, value in operator.gauges().items():
                before = found.get(name, 0.0)
                found[name] = max(before, value) if name.endswith("_s") else before + value
        return found

    def transactions(self) -> list[TransactionStatus]:
        """Open transactions of all steps."""
        return [each for _, operator in self._operators for each in operator.transactions()]

    def silent(self) -> list[Silence]:
        """Peers that do not answer a waiting step."""
        return [each for _, operator in self._operators for each in operator.silent()]

    def committed(self, checkpoint: int) -> None:
        """Notify every step that the checkpoint is committed."""
        for step, operator in self._operators:
            guarded(step, operator.committed, checkpoint)

    def close(self) -> None:
        """Close every step, last first; raise the first error after all are closed."""
        errors = []
        for _, operator in reversed(self._operators):
            try:
                operator.close()
            except Exception as error:  # noqa: BLE001 - every step must get its chance to close
                errors.append(error)
        if errors:
            raise errors[0]
