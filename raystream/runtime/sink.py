"""SinkOperator: a SinkWriter as the last operator of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from raystream.connectors.base import Sink, SinkWriter, Transactional, WaitedFor, WriteOptions
from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence
from raystream.operators.operator import Operator, Output, StepState


class SinkOperator(Operator):
    """Writes what it gets; its snapshot is the pre-commit of what was written.

    Args:
        sink: The user's sink.
        options: What the plan asks of the writer.
    """

    emits_on_time: ClassVar[bool] = False
    """It serves callbacks then, and must while those before it wait."""

    def __init__(self, sink: Sink, options: WriteOptions) -> None:
        self._sink = sink
        self._options = options
        self._writer: SinkWriter | None = None
        self._due: float | None = None

    @property
    def writer(self) -> SinkWriter:
        """The writer, once open."""
        assert self._writer is not None
        return self._writer

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Make the writer."""
        super().open(ctx, output)
        self._writer = self._sink.writer(ctx, self._options)
        self._due = ctx.clock.now()

    def process(self, batch: Batch, port: int = 0) -> None:
        """Write rows."""
        self.ctx.count("rows_out", len(batch))
        self.writer.write(batch.frame)

    def deadline(self) -> float | None:
        """When the writer wants its callbacks served."""
        return self._due

    def on_time(self, now: float) -> None:
        """Serve them."""
        self._due = self.writer.poll(now)

    def has_room(self) -> bool:
        """Whether the writer takes more rows."""
        return self.writer.has_room()

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """Pre-commit: the committable comes when the flush is done."""
        return StepState(prepared=self.writer.prepare(checkpoint, final=final))

    def transactions(self) -> Sequence[TransactionStatus]:
        """Those of the writer, by name if it has names for them."""
        if isinstance(self.writer, Transactional):
            return self.writer.transactions()
        age = self.writer.oldest_transaction_age_s()
        me = self.ctx
        return [TransactionStatus("", me.step, me.subtask.index, age_s=age)] if age > 0 else []

    def silent(self) -> Sequence[Silence]:
        """Who does not answer the writer."""
        return self.writer.silent() if isinstance(self.writer, WaitedFor) else ()

    def committed(self, checkpoint: int) -> None:
        """Phase two is done."""
        self.writer.committed(checkpoint)
        self._due = self.ctx.clock.now()

    def close(self) -> None:
        """Release the writer; never aborts what is pre-committed."""
        if self._writer is not None:
            self._writer.close()
