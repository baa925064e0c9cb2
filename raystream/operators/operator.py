"""Operator interface: batches and watermarks in, batches out, snapshots between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar, Protocol

from raystream.checkpoint.records import Committable
from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.segment import Segment
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence
from raystream.operators.step import Step
from raystream.time.watermark import Idle, Watermark


class Output(Protocol):
    """Where an operator emits rows; `tag` names a side output (`late`, `errors`)."""

    def emit(self, batch: Batch, tag: str = "") -> None:
        """Emit a batch (dropped and counted by the engine if the tag has no consumer)."""
        ...

    def consumed(self, tag: str) -> bool:
        """Whether this side output has a consumer."""
        ...


@dataclass(frozen=True, slots=True)
class StepState:
    """Snapshot of one step: segments, a small JSON header, a transaction in preparation."""

    segments: Sequence[Segment] = ()
    header: Mapping[str, Any] = field(default_factory=dict)
    prepared: Future[Committable | None] | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """State that a step restores from.

    Args:
        states: States of the old subtasks, by index.
        redistribute: False: `states` holds only the state of this very subtask; keep its segment
            ids. True: it holds the states of all old subtasks; take the rows whose key this
            subtask owns, under new segment ids. Segments are read during iteration: take them
            one by one, and keep only what is owned.
    """

    states: Sequence[StepState]
    redistribute: bool


class Operator:
    """Base class with the defaults of a stateless operator. One instance per subtask.

    The engine calls it from one thread: open, restore?, then process/on_watermark/on_time/snapshot
    in any order, close.
    """

    ctx: SubtaskContext
    output: Output
    emits_on_time: ClassVar[bool] = True
    """Whether `on_time` may emit rows: then it is called when downstream has room."""

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Called once, before anything else."""
        self.ctx = ctx
        self.output = output

    def restore(self, restored: Restored) -> None:
        """Restore state; called at most once, after open."""

    def process(self, batch: Batch, port: int = 0) -> None:
        """Process rows.

        Args:
            batch: Rows of one input.
            port: Number of the input, in the order of the step's inputs.
        """
        raise NotImplementedError

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Process a watermark; the engine forwards it once this returned and nothing is pending.

        If there is much to emit, emit one piece and leave the rest to `proceed`.
        """

    def input_ended(self, port: int) -> None:
        """An input that the step asked to read before the others (Step.loads) has ended.

        Told in every run, also if the input had ended before a restore.
        """

    def hands_on(self, news: Watermark | Idle) -> Watermark | Idle | None:
        """What is forwarded after the step has seen it; None: nothing.

        A smaller watermark holds event time back for rows that are still to be emitted.
        """
        return news

    def own_news(self) -> Iterable[Watermark | Idle]:
        """Watermarks that this step itself emits; polled after rows and when quiet."""
        return ()

    def on_quiet(self, now: float) -> None:
        """No input is waiting for the task (monotonic seconds); called repeatedly."""

    def has_more(self) -> bool:
        """Whether `proceed` has something to emit; while it has, nothing else is delivered."""
        return False

    def proceed(self) -> None:
        """Emit the next piece; called while downstream has room."""

    def deadline(self) -> float | None:
        """Monotonic time (ctx.clock.now()) at which to call `on_time`, or None."""
        return None

    def on_time(self, now: float) -> None:
        """The deadline passed."""

    def has_room(self) -> bool:
        """Whether it accepts rows now; False for a sink whose buffers are full."""
        return True

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """State as of now, immutable; None if the step has no state."""
        return None

    def gauges(self) -> Mapping[str, float]:
        """Current values for the status: `state_bytes`, `state_disk_bytes`, .. (may be costly)."""
        return {}

    def transactions(self) -> Sequence[TransactionStatus]:
        """Transactions that hold rows of this step and are not committed."""
        return ()

    def silent(self) -> Sequence[Silence]:
        """Systems that this step waits for and that do not answer."""
        return ()

    def committed(self, checkpoint: int) -> None:
        """The checkpoint is committed."""

    def close(self) -> None:
        """Release everything; also called after a failure."""


def create(step: Step) -> Operator:
    """Create the operator of an unsplit step for one subtask; its module is imported here.

    Raises:
        TypeError: the engine runs the step itself.
    """
    planned = step.alone()
    module, _, name = planned.operator.partition(":")
    if not module:
        what = f"{planned.word} has no operator"
        raise TypeError(what)
    operator: Operator = getattr(import_module(module), name)(planned)
    return operator
