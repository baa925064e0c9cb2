"""SinkOperator: a SinkWriter as the last operator of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import polars as pl

from raystream.connectors.base import Sink, SinkWriter, Transactional, WaitedFor, WriteOptions
from raystream.connectors.traits import own_key
from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.change_rows import as_log, as_upserts
from raystream.data.changes import CHANGE
from raystream.observe.histogram import Histogram
from raystream.observe.safety import TransactionStatus
from raystream.observe.silence import Silence
from raystream.operators.operator import Operator, Output, StepState
from raystream.runtime.commit_latency import CommitLatency


class SinkOperator(Operator):
    """Writes its input; its snapshot pre-commits what was written.

    Args:
        sink: The user's sink.
        options: Options of the writer from the plan.
        latency: Where the latency of its rows is counted.
    """

    emits_on_time: ClassVar[bool] = False
    """On time it serves callbacks, and must even while earlier steps wait."""

    def __init__(self, sink: Sink, options: WriteOptions, latency: Histogram | None = None) -> None:
        self._sink = sink
        self._options = options
        self._writer: SinkWriter | None = None
        self._due: float | None = None
        transactional = options.guarantee == "exactly_once"
        self._latency = CommitLatency(latency or Histogram(), transactional=transactional)
        own = own_key(sink)
        self._key = list(options.schema.key) if own is None else [own]

    @property
    def writer(self) -> SinkWriter:
        """The writer, once open."""
        assert self._writer is not None
        return self._writer

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Create the writer."""
        super().open(ctx, output)
        self._writer = self._sink.writer(ctx, self._options)
        self._due = ctx.clock.now()

    def process(self, batch: Batch, port: int = 0) -> None:
        """Write rows."""
        frame = self._written(batch.frame)
        self.ctx.count("rows_out", frame.height)
        self.writer.write(frame)
        self._latency.wrote(batch.frame, self.ctx.clock.wall_ms())

    def _written(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What the writer gets of rows that change earlier ones."""
        if CHANGE not in frame.columns:
            return frame
        return as_upserts(frame, self._key) if self._options.upserts else as_log(frame)

    def deadline(self) -> float | None:
        """When the writer's callbacks are due."""
        return self._due

    def on_time(self, now: float) -> None:
        """Serve the writer's callbacks."""
        self._due = self.writer.poll(now)

    def has_room(self) -> bool:
        """Whether the writer accepts more rows."""
        return self.writer.has_room()

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """Pre-commit: the committable follows when the flush is done."""
        self._latency.seal(checkpoint, self.ctx.clock.wall_ms())
        return StepState(prepared=self.writer.prepare(checkpoint, final=final))

    def transactions(self) -> Sequence[TransactionStatus]:
        """Transactions of the writer, by name if it names them."""
        if isinstance(self.writer, Transactional):
            return self.writer.transactions()
        age = self.writer.oldest_transaction_age_s()
        me = self.ctx
        return [TransactionStatus("", me.step, me.subtask.index, age_s=age)] if age > 0 else []

    def silent(self) -> Sequence[Silence]:
        """Peers that do not answer the writer."""
        return self.writer.silent() if isinstance(self.writer, WaitedFor) else ()

    def committed(self, checkpoint: int) -> None:
        """Notify the writer that phase two is done."""
        self.writer.committed(checkpoint)
        self._latency.committed(checkpoint, self.ctx.clock.wall_ms())
        self._due = self.ctx.clock.now()

    def close(self) -> None:
        """Release the writer; never aborts what is pre-committed."""
        if self._writer is not None:
            self._writer.close()
