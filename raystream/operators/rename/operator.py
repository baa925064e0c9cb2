"""Rename: the same rows, with columns under other names."""

from __future__ import annotations

from raystream.data.batch import Batch
from raystream.operators.operator import Operator
from raystream.operators.rename.columns import check_names
from raystream.operators.rename.step import Rename as Step


class Rename(Operator):
    """Gives columns other names."""

    def __init__(self, step: Step) -> None:
        self._columns = step.columns

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the same rows under the new names."""
        check_names(self._columns, batch.user_frame().schema)
        self.output.emit(Batch(batch.frame.rename(dict(self._columns))))
