"""WithColumns: columns added or replaced."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.with_columns.columns import compiled_columns
from raystream.operators.with_columns.step import WithColumns as Step


class WithColumns(Evaluated):
    """Computes columns; all expressions see the input columns."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.errors)
        self._step = step

    def _compiled(self, batch: Batch) -> Evaluation:
        made = compiled_columns(self._step, batch.user_frame().schema)
        values = [found.value.alias(name) for name, found in made.items()]

        def compute(frame: pl.DataFrame) -> pl.DataFrame:
            user, hidden = split_hidden(frame)
            return join_hidden(user.with_columns(values), hidden)

        return Evaluation(list(made.values()), compute)
