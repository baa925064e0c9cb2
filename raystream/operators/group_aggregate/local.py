"""GroupLocal: partials of a batch by key, before the exchange; the rows where keys do not repeat.

Nothing is kept from one batch to the next, as in Flink's two-phase aggregation with mini-batches
of a batch: each key is updated as often as before.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import ORDER, TIME
from raystream.operators.expressions import check_columns
from raystream.operators.group_aggregate.columns import aggregates_of, partials_of
from raystream.operators.group_aggregate.reduction import Reduction
from raystream.operators.group_aggregate.step import GroupLocal as Step
from raystream.operators.local_aggregate import LocalAggregate
from raystream.operators.window.aggregates import Aggregation


class GroupLocal(LocalAggregate):
    """One row per key of the batch, or each with the values that are aggregated."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.aggregate.errors)
        self._asked = step.aggregate
        self._reduction = Reduction()

    def aggregation(self, columns: Mapping[str, pl.DataType]) -> Aggregation:
        """The aggregates of the user, and the greatest event time."""
        check_columns(list(self._asked.keys), columns)
        return Aggregation(aggregates_of(self._asked), columns)

    def made(self, rows: pl.DataFrame, aggregation: Aggregation) -> pl.DataFrame:
        """The partials, or what is read of the rows behind the exchange; without ROWS."""
        if self._reduction.tries(rows.height):
            partials = partials_of(self._asked, aggregation, rows)
            self._reduction.gave(rows.height, partials.height)
            return partials
        read = {*self._asked.keys, *aggregation.reads, TIME, ORDER}
        return rows.select(name for name in rows.columns if name in read)
