"""GroupLocal: partials of a batch by key, before the exchange; the rows where keys do not repeat.

Nothing is kept from one batch to the next, as in Flink's two-phase aggregation with mini-batches
of a batch: each key is updated as often as before.
"""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import ORDER, TIME, Batch
from raystream.operators.expressions import check_columns
from raystream.operators.final_rows import final_rows
from raystream.operators.group_aggregate.columns import aggregates_of, partials_of
from raystream.operators.group_aggregate.reduction import Reduction
from raystream.operators.group_aggregate.step import GroupLocal as Step
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.window.aggregates import Aggregation


class GroupLocal(Operator):
    """One row per key of the batch, or each with the values that are aggregated."""

    def __init__(self, step: Step) -> None:
        self._asked = step.aggregate
        self._aggregation: Aggregation | None = None
        self._errors = RowErrors(step.aggregate.errors)
        self._reduction = Reduction()

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy of the aggregation handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the partials of the batch."""
        rows = final_rows(batch.frame)
        if self._aggregation is None:
            check_columns(list(self._asked.keys), rows.schema)
            self._aggregation = Aggregation(aggregates_of(self._asked), rows.schema)
        rows = self._aggregation.computed(rows, self._errors)
        if not rows.height:
            return
        if not self._reduction.tries(rows.height):
            self.output.emit(Batch(self._read(rows, self._aggregation)))
            return
        partials = partials_of(self._asked, self._aggregation, rows)
        self._reduction.gave(rows.height, partials.height)
        self.output.emit(Batch(partials))

    def _read(self, rows: pl.DataFrame, aggregation: Aggregation) -> pl.DataFrame:
        """What is read of the rows behind the exchange; without ROWS."""
        read = {*self._asked.keys, *aggregation.reads, TIME, ORDER}
        return rows.select(name for name in rows.columns if name in read)
