"""Filter: rows for which a condition is true (null is not true)."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.data.left_out import left_out
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled
from raystream.graph import steps
from raystream.operators.base import Operator


class Filter(Operator):
    """Keeps rows; columns stay as they are."""

    def __init__(self, step: steps.Filter) -> None:
        self._step = step
        self._condition: pl.Expr | None = None

    def process(self, batch: Batch) -> None:
        """Emit the rows that pass."""
        if self._condition is None:
            self._condition = compiled(self._step.condition, batch.frame.schema).value
        kept = batch.frame.filter(self._condition)
        if kept.height < batch.frame.height:
            self.ctx.count("filtered_rows", batch.frame.height - kept.height)
            self.ctx.sample("filtered_rows", lambda: left_out(self._refused(batch.frame)))
        if kept.height:
            self.output.emit(Batch(kept))

    def _refused(self, frame: pl.DataFrame) -> pl.DataFrame:
        assert self._condition is not None
        return frame.filter(~self._condition.fill_null(False))


def output_schema(step: steps.Filter, schema: Schema) -> Schema:
    """The same columns.

    Raises:
        ConfigurationError: the condition names a missing column or is not true or false.
    """
    kind = compiled(step.condition, schema.columns).dtype
    if kind != pl.Boolean:
        what = f"filter: the condition is {kind}, not true or false"
        raise ConfigurationError(what, what_to_do="write a comparison")
    return schema
