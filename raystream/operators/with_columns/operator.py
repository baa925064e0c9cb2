"""WithColumns: columns added or replaced."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation, columns_of
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
        found = list(made.values())
        values = [each.value.alias(name) for name, each in made.items()]

        def compute(frame: pl.DataFrame) -> pl.DataFrame:
            user, hidden = split_hidden(frame)
            return join_hidden(columns_of(user, values, found, keep=True), hidden)

        return Evaluation(found, compute)
