"""WindowLocal: partials of a batch by pane and key, before the exchange; stateless."""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.operators.final_rows import final_rows
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.panes import panes_of
from raystream.operators.window.step import WindowLocal as Step


class WindowLocal(Operator):
    """One row per pane and key of the batch: key columns, and partials as hidden columns."""

    def __init__(self, step: Step) -> None:
        self._asked = step.aggregate
        self._panes = panes_of(step.aggregate.window)
        self._aggregation: Aggregation | None = None
        self._errors = RowErrors(step.aggregate.errors)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy of the aggregation handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the partials of the batch."""
        rows = final_rows(batch.frame)
        if self._aggregation is None:
            self._aggregation = Aggregation(self._asked.aggregates, rows.schema)
        rows = self._aggregation.computed(rows, self._errors)
        if rows.height:
            by: list[str | pl.Expr] = [self._panes.pane(), *self._asked.keys]
            self.output.emit(Batch(self._aggregation.partial(rows, by)))
