"""Filter: rows for which a condition is true (null is not true)."""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.left_out import left_out
from raystream.operators.evaluation import Evaluation
from raystream.operators.filter.columns import condition_of
from raystream.operators.filter.step import Filter as Step
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors


class Filter(Operator):
    """Keeps rows; columns stay as they are."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy handles rows for which the condition cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows that pass."""
        if self._evaluation is None:
            self._evaluation = self._compiled(batch)
        kept = self._evaluation.of(batch.frame, self._errors)
        if kept.height:
            self.output.emit(Batch(kept))

    def _compiled(self, batch: Batch) -> Evaluation:
        condition = condition_of(self._step, batch.user_frame().schema)

        def passing(frame: pl.DataFrame) -> pl.DataFrame:
            kept = frame.filter(condition.value)
            if kept.height < frame.height:
                self._note(frame, condition.value, frame.height - kept.height)
            return kept

        return Evaluation([condition], passing)

    def _note(self, frame: pl.DataFrame, condition: pl.Expr, number: int) -> None:
        self.ctx.count("filtered_rows", number)
        refused = (~condition).fill_null(value=True)
        self.ctx.sample("filtered_rows", lambda: left_out(frame.filter(refused)))
