"""WithColumns: columns added or replaced."""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.with_columns.columns import compiled_columns
from raystream.operators.with_columns.step import WithColumns as Step


class WithColumns(Operator):
    """Computes columns; all expressions see the input columns."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the same rows with the new columns."""
        if self._evaluation is None:
            self._evaluation = _evaluation(self._step, batch)
        made = self._evaluation.of(batch.frame, self._errors)
        if made.height:
            self.output.emit(Batch(made))


def _evaluation(step: Step, batch: Batch) -> Evaluation:
    made = compiled_columns(step, batch.user_frame().schema)
    values = [found.value.alias(name) for name, found in made.items()]

    def compute(frame: pl.DataFrame) -> pl.DataFrame:
        user, hidden = split_hidden(frame)
        return join_hidden(user.with_columns(values), hidden)

    return Evaluation(list(made.values()), compute)
