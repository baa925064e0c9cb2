"""Union: rows of several inputs with equal columns; each input arrives through `process`."""

from __future__ import annotations

from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.operators.operator import Operator
from raystream.operators.union.columns import output_schema
from raystream.operators.union.step import Union as Step


class Union(Operator):
    """Forwards rows; the inputs meet in the engine's gate.

    Columns that only rows reveal (after a function) are compared here with the first ones.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._first: Schema | None = None

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows.

        Raises:
            ConfigurationError: rows of two inputs have different columns.
        """
        columns = Schema.of_frame(batch.frame.schema)
        if self._first is None:
            self._first = columns
        elif columns.columns != self._first.columns:
            output_schema([self._first, columns])
        self.output.emit(batch)
