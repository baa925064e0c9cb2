"""A chain: operators fused into one subtask, rows handed on by plain calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from raystream.data.batch import Batch
from raystream.ids import StepName
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence
from raystream.operators.operator import Operator, Restored, StepState
from raystream.runtime.exchange import Outputs
from raystream.runtime.tail import Tap
from raystream.time.watermark import Idle, Watermark

STEP_OF_ERROR = "raystream_step"
"""Attribute put on an exception: name of the step in which it was raised."""

Count = Callable[[StepName, str, int], None]

T = TypeVar("T")


class Link:
    """The Output of one step: rows go to the next step, side outputs to their exchanges.

    `check_first` looks at the first rows for the next step, where only they tell its columns.
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
        """Hand on a batch; `port` is the input of the next step that it is for."""
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
        """Whether somebody consumes this side output."""
        return self._outputs.consumed(self._step, tag)


def guarded(step: StepName, call: Callable[..., T], *args: object) -> T:
    """Call; an exception is marked with the innermost step it came from."""
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
    """Operators in order. The head gets rows from the task's input.

    Args:
        operators: (step name, operator), first to last; already opened.
    """

    def __init__(self, operators: Sequence[tuple[StepName, Operator]], head: Link) -> None:
        self._operators = list(operators)
        self._head = head
        self._passing: deque[tuple[int, Watermark | Idle]] = deque()
        self._passed: deque[Watermark | Idle] = deque()

    def process(self, batch: Batch, port: int = 0) -> None:
        """Rows from an input of the first step enter it."""
        self._head.emit(batch, port=port)
        self._pass_on()

    def on_quiet(self, now: float) -> None:
        """Nothing waits in front of the task."""
        for step, operator in self._operators:
            guarded(step, operator.on_quiet, now)
        self._pass_on()

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Event time passes through every step in order; it waits where output is pending."""
        self._passing.append((0, watermark))
        self._pass_on()

    def has_more(self) -> bool:
        """Whether a step has more to give out, and holds event time back meanwhile."""
        return any(operator.has_more() for _, operator in self._operators)

    def proceed(self) -> None:
        """One piece of what is pending: of the last such step, which others would add to."""
        for step, operator in reversed(self._operators):
            if operator.has_more():
                guarded(step, operator.proceed)
                break
        self._pass_on()

    def passed(self) -> Iterator[Watermark | Idle]:
        """Event time that every step has seen; it is taken."""
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
            if operator.passes(news):
                self._passing.appendleft((index + 1, news))
            self._gather()

    def _gather(self) -> None:
        """What steps tell by themselves passes through those behind them."""
        for index, (_, operator) in enumerate(self._operators):
            self._passing.extend((index + 1, news) for news in operator.own_news())

    def deadline(self, *, may_emit: bool = True) -> float | None:
        """The earliest time a step wants to be called at; without credit, one that never emits."""
        called = (one for _, one in self._operators if may_emit or not one.emits_on_time)
        times = [operator.deadline() for operator in called]
        return min((time for time in times if time is not None), default=None)

    def on_time(self, now: float, *, may_emit: bool = True) -> None:
        """Call the steps whose time has come."""
        for step, operator in self._operators:
            due = operator.deadline() if may_emit or not operator.emits_on_time else None
            if due is not None and due <= now:
                guarded(step, operator.on_time, now)
        self._pass_on()

    def has_room(self) -> bool:
        """Whether every step can take rows."""
        return all(operator.has_room() for _, operator in self._operators)

    def restore(self, states: dict[StepName, Restored]) -> None:
        """Hand each step its state."""
        for step, operator in self._operators:
            if step in states:
                guarded(step, operator.restore, states[step])

    def snapshot(self, checkpoint: int, *, final: bool) -> dict[StepName, StepState]:
        """State of every step that keeps any."""
        found = {}
        for step, operator in self._operators:
            state = operator.snapshot(checkpoint, final=final)
            if state is not None:
                found[step] = state
        return found

    def gauges(self) -> dict[str, float]:
        """Present values of all steps: ages by their maximum, else summed."""
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
        """Who does not answer a step that waits."""
        return [each for _, operator in self._operators for each in operator.silent()]

    def committed(self, checkpoint: int) -> None:
        """Tell every step."""
        for step, operator in self._operators:
            guarded(step, operator.committed, checkpoint)

    def close(self) -> None:
        """Close every step, last first; the first error is raised after all were closed."""
        errors = []
        for _, operator in reversed(self._operators):
            try:
                operator.close()
            except Exception as error:  # noqa: BLE001 - every step must get its chance to close
                errors.append(error)
        if errors:
            raise errors[0]
