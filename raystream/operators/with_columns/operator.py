"""WithColumns: columns added or replaced."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.expressions.compiled import Compiled, compiled
from raystream.graph import steps
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import join_hidden, naming, split_hidden
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors


class WithColumns(Operator):
    """Computes columns; all expressions see the columns as they came in."""

    def __init__(self, step: steps.WithColumns) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Rows that cannot be computed go by the policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch) -> None:
        """Emit the same rows with the new columns."""
        if self._evaluation is None:
            self._evaluation = _evaluation(self._step, batch)
        made = self._evaluation.of(batch.frame, self._errors)
        if made.height:
            self.output.emit(Batch(made))


def output_schema(step: steps.WithColumns, schema: Schema) -> Schema:
    """The columns and the new ones behind them.

    Raises:
        ConfigurationError: an expression names a missing column or does not fit its types.
    """
    made = _compile(step, schema.columns)
    columns = {**schema.columns, **{name: found.dtype for name, found in made.items()}}
    return Schema(columns, schema.required - set(step.columns), schema.key)


def _compile(step: steps.WithColumns, columns: Mapping[str, pl.DataType]) -> dict[str, Compiled]:
    with naming("with_columns"):
        return {name: compiled(written, columns) for name, written in step.columns.items()}


def _evaluation(step: steps.WithColumns, batch: Batch) -> Evaluation:
    made = _compile(step, batch.user_frame().schema)
    values = [found.value.alias(name) for name, found in made.items()]

    def compute(frame: pl.DataFrame) -> pl.DataFrame:
        user, hidden = split_hidden(frame)
        return join_hidden(user.with_columns(values), hidden)

    return Evaluation(list(made.values()), compute)
