"""Drop: all columns but these."""

from __future__ import annotations

from raystream.data.batch import Batch
from raystream.operators.drop.step import Drop as Step
from raystream.operators.expressions import check_columns
from raystream.operators.operator import Operator


class Drop(Operator):
    """Removes columns."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the same rows without the columns."""
        check_columns(list(self._step.columns), batch.frame.schema)
        self.output.emit(Batch(batch.frame.drop(self._step.columns)))
