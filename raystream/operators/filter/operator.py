"""Filter: rows for which a condition is true (null is not true)."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.data.left_out import left_out
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation
from raystream.operators.filter.columns import condition_of
from raystream.operators.filter.step import Filter as Step


class Filter(Evaluated):
    """Keeps rows; columns stay as they are."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.errors)
        self._step = step

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
