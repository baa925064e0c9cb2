"""What an operator is: batches and watermarks in, batches out, snapshots between them."""

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
    """Where an operator puts rows; `tag` names a side output (`late`, `errors`)."""

    def emit(self, batch: Batch, tag: str = "") -> None:
        """Hand on a batch (dropped and counted by the engine if nobody consumes the tag)."""
        ...

    def consumed(self, tag: str) -> bool:
        """Whether somebody consumes this side output."""
        ...


@dataclass(frozen=True, slots=True)
class StepState:
    """Snapshot of one step: segments, a small JSON header, a transaction in preparation."""

    segments: Sequence[Segment] = ()
    header: Mapping[str, Any] = field(default_factory=dict)
    prepared: Future[Committable | None] | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a step starts from.

    Args:
        states: States of the old subtasks, by index.
        redistribute: False: `states` holds just the state of this very subtask, keep its segment
            ids. True: it holds all old subtasks' states; take the rows whose key is owned by this
            subtask, under new segment ids. Segments are read while they are gone through: take them
            one by one, and keep only what is owned.
    """

    states: Sequence[StepState]
    redistribute: bool


class Operator:
    """Base with the answers of an operator that keeps nothing. One instance per subtask.

    The engine calls it from one thread: open, restore?, then process/on_watermark/on_time/snapshot
    in any order, close.
    """

    ctx: SubtaskContext
    output: Output
    emits_on_time: ClassVar[bool] = True
    """Whether `on_time` may give out rows: then it is called when those behind have room."""

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Once, before anything else."""
        self.ctx = ctx
        self.output = output

    def restore(self, restored: Restored) -> None:
        """Take over state; called at most once, after open."""

    def process(self, batch: Batch, port: int = 0) -> None:
        """Rows arrive.

        Args:
            batch: Rows of one input.
            port: Number of the input, in the order in which the step was given them.
        """
        raise NotImplementedError

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Event time moved; the engine hands it on when this has returned and nothing is pending.

        Where much is to be given out, give out one piece and leave the rest to `proceed`.
        """

    def passes(self, news: Watermark | Idle) -> bool:
        """Whether this is told on, once the step has seen it."""
        return True

    def own_news(self) -> Iterable[Watermark | Idle]:
        """What those behind are to be told by this step itself; asked after rows and when quiet."""
        return ()

    def on_quiet(self, now: float) -> None:
        """Nothing waits in front of the task (monotonic seconds); called again and again."""

    def has_more(self) -> bool:
        """Whether `proceed` has something to give out; until it has not, nothing else comes."""
        return False

    def proceed(self) -> None:
        """Give out the next piece; called while those behind have room."""

    def deadline(self) -> float | None:
        """Monotonic time (ctx.clock.now()) at which `on_time` wants to be called, or None."""
        return None

    def on_time(self, now: float) -> None:
        """The deadline passed."""

    def has_room(self) -> bool:
        """False: give me no more rows now (a sink whose buffers are full)."""
        return True

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """State as of now, immutable; None if the step keeps nothing."""
        return None

    def gauges(self) -> Mapping[str, float]:
        """Present values for the status: `state_bytes`, .. (may be costly)."""
        return {}

    def transactions(self) -> Sequence[TransactionStatus]:
        """Transactions that hold rows of this step and are not committed."""
        return ()

    def silent(self) -> Sequence[Silence]:
        """Those that this step waits for, and that do not answer."""
        return ()

    def committed(self, checkpoint: int) -> None:
        """Checkpoint is committed."""

    def close(self) -> None:
        """Release everything; also called after a failure."""


def create(step: Step) -> Operator:
    """A new operator for one subtask, not split; its module is imported here.

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
