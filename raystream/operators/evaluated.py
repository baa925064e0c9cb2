"""Evaluated: what operators share that compute expressions of their rows."""

from __future__ import annotations

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.graph.policies import ErrorPolicy
from raystream.operators.changing.pairs import paired, settled
from raystream.operators.evaluation import Evaluation
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors


class Evaluated(Operator):
    """Compiles its expressions with the first batch; the policy handles rows that raise.

    Args:
        errors: Policy for rows that cannot be computed.
    """

    def __init__(self, errors: ErrorPolicy) -> None:
        self._errors = RowErrors(errors)
        self._evaluation: Evaluation | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the computed rows."""
        made = settled(self._evaluated(Batch(paired(batch.frame))))
        if made.height:
            self.output.emit(Batch(made))

    def _evaluated(self, batch: Batch) -> pl.DataFrame:
        if self._evaluation is None:
            self._evaluation = self._compiled(batch)
        return self._evaluation.of(batch.frame, self._errors)

    def _compiled(self, batch: Batch) -> Evaluation:
        """The evaluation for batches with these columns."""
        raise NotImplementedError
