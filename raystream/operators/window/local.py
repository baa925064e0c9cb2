"""WindowLocal: partials of a batch by pane and key, before the exchange; keeps nothing."""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.graph import steps
from raystream.operators.expressions import configuration_errors
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.early import final_rows
from raystream.operators.window.keys import check_keys
from raystream.operators.window.panes import panes_of


class WindowLocal(Operator):
    """One row per pane and key of the batch: key columns, and partials as hidden columns."""

    def __init__(self, step: steps.WindowLocal) -> None:
        self._asked = step.aggregate
        self._panes = panes_of(step.aggregate.window)
        self._aggregation: Aggregation | None = None
        self._errors = RowErrors(step.aggregate.errors)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Rows that cannot be computed go by the policy of the aggregation."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch) -> None:
        """Emit the partials of the batch."""
        rows = final_rows(batch.frame)
        if self._aggregation is None:
            self._aggregation = Aggregation(self._asked.aggregates, rows.schema)
        rows = self._aggregation.computed(rows, self._errors)
        if rows.height:
            by: list[str | pl.Expr] = [self._panes.pane(), *self._asked.keys]
            self.output.emit(Batch(self._aggregation.partial(rows, by)))


def output_schema(step: steps.WindowLocal, schema: Schema) -> Schema:
    """The key columns; all else is hidden.

    Raises:
        ConfigurationError: a key or a column of an aggregate does not exist.
    """
    check_keys(step.aggregate.keys, schema.columns)
    with configuration_errors("agg"):
        Aggregation(step.aggregate.aggregates, schema.columns)
    keys = step.aggregate.keys
    return Schema({name: schema.columns[name] for name in keys}, schema.required & set(keys), keys)
