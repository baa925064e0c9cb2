"""Select: only these columns, by name or as named expressions."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.expressions.compiled import compiled
from raystream.graph import steps
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import (
    check_columns,
    configuration_errors,
    join_hidden,
    naming,
    split_hidden,
)
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors


class Select(Operator):
    """Chooses and computes columns; hidden columns stay with their rows."""

    def __init__(self, step: steps.Select) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Rows that cannot be computed go by the policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch) -> None:
        """Emit the same rows with the chosen columns."""
        if self._evaluation is None:
            self._evaluation = _evaluation(self._step, batch)
        made = self._evaluation.of(batch.frame, self._errors)
        if made.height:
            self.output.emit(Batch(made))


def output_schema(step: steps.Select, schema: Schema) -> Schema:
    """The chosen columns.

    Raises:
        ConfigurationError: a column is missing, or an expression looks beyond its row.
    """
    chosen = _chosen(step, schema.columns)
    with configuration_errors("select"):
        made = schema.empty().select(chosen)
    kept = schema.project(made.columns)
    return Schema(made.schema, kept.required, schema.key if kept.key == schema.key else ())


def _chosen(step: steps.Select, columns: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    check_columns([name for name in step.columns if isinstance(name, str)], columns)
    with naming("select"):
        return [
            pl.col(each) if isinstance(each, str) else compiled(each, columns).value
            for each in step.columns
        ]


def _evaluation(step: steps.Select, batch: Batch) -> Evaluation:
    chosen = _chosen(step, batch.user_frame().schema)

    def compute(frame: pl.DataFrame) -> pl.DataFrame:
        user, hidden = split_hidden(frame)
        made = user.select(chosen)
        if made.height != user.height:  # constants alone: one for each row
            made = made[[0] * user.height]
        return join_hidden(made, hidden)

    return Evaluation([], compute)
