"""WindowLocal: partials of a batch by pane and key, before the exchange; stateless."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.operators.local_aggregate import LocalAggregate
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.panes import panes_of
from raystream.operators.window.step import WindowLocal as Step


class WindowLocal(LocalAggregate):
    """One row per pane and key of the batch: key columns, and partials as hidden columns."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.aggregate.errors)
        self._asked = step.aggregate
        self._panes = panes_of(step.aggregate.window)

    def aggregation(self, columns: Mapping[str, pl.DataType]) -> Aggregation:
        """The aggregates of the user."""
        return Aggregation(self._asked.aggregates, columns)

    def made(self, rows: pl.DataFrame, aggregation: Aggregation) -> pl.DataFrame:
        """The partials."""
        by: list[str | pl.Expr] = [self._panes.pane(), *self._asked.keys]
        return aggregation.partial(rows, by)
