"""Union: rows of several inputs, by name; each input arrives through `process`."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import Batch
from raystream.data.changes import CHANGE, RowKind
from raystream.data.schema import Schema
from raystream.operators.operator import Operator
from raystream.operators.union.columns import different, output_schema
from raystream.operators.union.step import Union as Step


class Union(Operator):
    """Forwards rows with the columns in one order and one type; the inputs meet in the gate.

    Columns that only rows reveal (after a function) are compared here with the first ones.
    """

    def __init__(self, step: Step) -> None:
        self._changing = step.changing
        self._types: Mapping[str, pl.DataType] | None = step.types

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows.

        Raises:
            ConfigurationError: rows of two inputs have columns that do not fit together.
        """
        if self._changing and CHANGE not in batch.frame.columns:
            kind = pl.lit(RowKind.INSERT.value, pl.Int8()).alias(CHANGE)
            batch = Batch(batch.frame.with_columns(kind))
        found = Schema.of_frame(batch.frame.schema).columns
        if self._types is None:
            self._types = found
        if list(found.items()) == list(self._types.items()):
            self.output.emit(batch)
            return
        inputs = Schema(self._types), Schema(found)
        if output_schema(inputs).columns != self._types:  # rows have gone with the narrower type
            raise different(*inputs, "declare the columns of both inputs")
        self.output.emit(Batch(_as(batch.frame, self._types)))


def _as(frame: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    hidden = [name for name in frame.columns if name not in types]
    return frame.select(*(pl.col(name).cast(kind) for name, kind in types.items()), *hidden)
