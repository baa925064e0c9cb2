"""LocalAggregate: what is computed of a batch before the exchange; nothing is kept."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.graph.policies import ErrorPolicy
from raystream.operators.final_rows import final_rows
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.window.aggregates import Aggregation


class LocalAggregate(Operator):
    """Computes the values of final rows; a subclass says what is made of them.

    Args:
        errors: Policy for rows that cannot be computed.
    """

    def __init__(self, errors: ErrorPolicy) -> None:
        self._aggregation: Aggregation | None = None
        self._errors = RowErrors(errors)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy of the aggregation handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit what is made of the batch."""
        rows = final_rows(batch.frame)
        if self._aggregation is None:
            self._aggregation = self.aggregation(rows.schema)
        rows = self._aggregation.computed(rows, self._errors)
        if rows.height:
            self.output.emit(Batch(self.made(rows, self._aggregation)))

    @abc.abstractmethod
    def aggregation(self, columns: Mapping[str, pl.DataType]) -> Aggregation:
        """What is computed of rows with these columns."""

    @abc.abstractmethod
    def made(self, rows: pl.DataFrame, aggregation: Aggregation) -> pl.DataFrame:
        """What is sent for rows that have their values."""
