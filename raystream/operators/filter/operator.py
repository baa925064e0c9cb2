"""Filter: rows for which a condition is true (null is not true)."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.data.left_out import left_out
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import condition
from raystream.operators.filter.step import Filter as Step


class Filter(Evaluated):
    """Keeps rows; columns stay as they are."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.errors)
        self._step = step

    def _compiled(self, batch: Batch) -> Evaluation:
        found = condition(self._step.condition, batch.user_frame().schema, "filter")

        def passing(frame: pl.DataFrame) -> pl.DataFrame:
            kept = frame.filter(found.value)
            if kept.height < frame.height:
                self._note(frame, found.value, frame.height - kept.height)
            return kept

        return Evaluation([found], passing)

    def _note(self, frame: pl.DataFrame, condition: pl.Expr, number: int) -> None:
        self.ctx.count("filtered_rows", number)
        refused = (~condition).fill_null(value=True)
        self.ctx.sample("filtered_rows", lambda: left_out(frame.filter(refused)))
