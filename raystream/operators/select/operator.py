"""Select: only these columns, by name or as named expressions."""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import (
    join_hidden,
    split_hidden,
)
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.select.columns import chosen
from raystream.operators.select.step import Select as Step


class Select(Operator):
    """Chooses and computes columns; hidden columns stay with their rows."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the same rows with the chosen columns."""
        if self._evaluation is None:
            self._evaluation = _evaluation(self._step, batch)
        made = self._evaluation.of(batch.frame, self._errors)
        if made.height:
            self.output.emit(Batch(made))


def _evaluation(step: Step, batch: Batch) -> Evaluation:
    wanted = chosen(step, batch.user_frame().schema)

    def compute(frame: pl.DataFrame) -> pl.DataFrame:
        user, hidden = split_hidden(frame)
        made = user.select(wanted)
        if made.height != user.height:  # constants alone: one for each row
            made = made[[0] * user.height]
        return join_hidden(made, hidden)

    return Evaluation([], compute)
