"""What runs."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.operator import Operator, Restored, StepState
from raystream_example.steps import Every, Tagged


class EveryOperator(Operator):
    """Counts rows, and lets each n-th pass; the count is in checkpoints."""

    def __init__(self, step: Every) -> None:
        self._n, self._seen = step.n, 0

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit each n-th row."""
        first = -(self._seen + 1) % self._n
        self._seen += len(batch)
        kept = batch.frame.gather_every(self._n, first)
        if kept.height:
            self.output.emit(Batch(kept))

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState:
        """How many rows were seen."""
        return StepState(header={"seen": self._seen})

    def restore(self, restored: Restored) -> None:
        """After a rescale each counts anew."""
        if not restored.redistribute:
            self._seen = restored.states[0].header["seen"]


class TaggedOperator(Operator):
    """Tells by a column from which input a row is."""

    def __init__(self, step: Tagged) -> None:
        self._step = step

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows with their number."""
        user, hidden = split_hidden(batch.frame)
        number = pl.lit(port, pl.Int64).alias(self._step.column)
        self.output.emit(Batch(join_hidden(user.with_columns(number), hidden)))
