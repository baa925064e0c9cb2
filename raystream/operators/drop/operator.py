"""Drop: all columns but these."""

from __future__ import annotations

from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.graph import steps
from raystream.operators.expressions import check_columns
from raystream.operators.operator import Operator


class Drop(Operator):
    """Removes columns."""

    def __init__(self, step: steps.Drop) -> None:
        self._step = step

    def process(self, batch: Batch) -> None:
        """Emit the same rows without the columns."""
        check_columns(list(self._step.columns), batch.frame.schema)
        self.output.emit(Batch(batch.frame.drop(self._step.columns)))


def output_schema(step: steps.Drop, schema: Schema) -> Schema:
    """The other columns; without a key if a key column goes.

    Raises:
        ConfigurationError: a column does not exist.
    """
    check_columns(list(step.columns), schema.columns)
    kept = schema.project(name for name in schema.columns if name not in step.columns)
    return kept if kept.key == schema.key else kept.with_key(())
