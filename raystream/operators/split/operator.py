"""Split: each row goes to the first branch whose condition it meets, the rest goes on."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.ids import HIDDEN
from raystream.operators.evaluated import Evaluated
from raystream.operators.evaluation import Evaluation
from raystream.operators.split.columns import conditions_of
from raystream.operators.split.step import Split as Step

_BRANCH = f"{HIDDEN}branch"


class Split(Evaluated):
    """Finds the branch of every row at once, then emits one batch for each branch."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.errors)
        self._step = step

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows of each branch, then the others."""
        made = self._evaluated(batch)
        branch = made.get_column(_BRANCH)
        rows = made.drop(_BRANCH)
        for number, tag in enumerate(self._step.branches):
            self._emit(rows.filter(branch == number), tag)
        self._emit(rows.filter(branch == len(self._step.branches)), "")

    def _emit(self, rows: pl.DataFrame, tag: str) -> None:
        if rows.height:
            self.output.emit(Batch(rows), tag)

    def _compiled(self, batch: Batch) -> Evaluation:
        conditions = conditions_of(self._step, batch.user_frame().schema)
        branch = pl.lit(len(conditions), pl.UInt32())
        for number, each in reversed(list(enumerate(conditions))):
            branch = pl.when(each.value).then(pl.lit(number, pl.UInt32())).otherwise(branch)
        return Evaluation(conditions, lambda frame: frame.with_columns(branch.alias(_BRANCH)))
