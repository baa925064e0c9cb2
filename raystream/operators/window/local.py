"""WindowLocal: partials of a batch by pane and key, before the exchange; stateless."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.operators.local_aggregate import LocalAggregate
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.panes import panes_of
from raystream.operators.window.step import WindowLocal as Step

_CHEAP = (pl.String, pl.Int64)
"""A single key of such a type needs no row encoding: a third less than pane and key together."""


class WindowLocal(LocalAggregate):
    """One row per pane and key of the batch: key columns, and partials as hidden columns."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.aggregate.errors)
        self._asked = step.aggregate
        self._pane = panes_of(step.aggregate.window).pane()

    def aggregation(self, columns: Mapping[str, pl.DataType]) -> Aggregation:
        """The aggregates of the user."""
        return Aggregation(self._asked.aggregates, columns)

    def made(self, rows: pl.DataFrame, aggregation: Aggregation) -> pl.DataFrame:
        """The partials."""
        keys = list(self._asked.keys)
        pane = rows.select(self._pane).to_series()
        if len(keys) == 1 and isinstance(rows.schema[keys[0]], _CHEAP) and _is_one(pane):
            grouped = aggregation.partial(rows, keys)
            return grouped.insert_column(0, pane.new_from_index(0, grouped.height))
        return aggregation.partial(rows, [self._pane, *keys])


def _is_one(pane: pl.Series) -> bool:
    """Whether all rows are in one pane: then the key alone groups them."""
    return not pane.null_count() and pane.min() == pane.max()
