"""Select: only these columns, by name, or computed."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation, columns_of
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.select.columns import chosen
from raystream.operators.select.step import Select as Step


class Select(Evaluated):
    """Chooses and computes columns; hidden columns stay with their rows."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.errors)
        self._step = step

    def _compiled(self, batch: Batch) -> Evaluation:
        made = chosen(self._step, batch.user_frame().schema)
        wanted = [found.value for found in made]

        def compute(frame: pl.DataFrame) -> pl.DataFrame:
            user, hidden = split_hidden(frame)
            rows = columns_of(user, wanted, made, keep=False)
            if rows.height != user.height:  # constants alone: one for each row
                rows = rows[[0] * user.height]
            return join_hidden(rows, hidden)

        return Evaluation(made, compute)
