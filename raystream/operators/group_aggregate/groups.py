"""The partials of the groups of a batch: added, taken back, or computed again from their rows.

Counts, and sums and means of integers and decimals, are exact when they are subtracted. All other
aggregates over rows that change others (a least value, a sum of floats) are computed again from the
rows of the group, which are kept, equal rows as one with their number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.batch import ORDER, TIME
from raystream.data.change_rows import is_gone
from raystream.data.changes import CHANGE
from raystream.graph.aggregates import AggregateKind
from raystream.operators.changing.groups import ALL, COPIES, NUMBER, SEEN, numbers, unfolded
from raystream.operators.group_aggregate.columns import (
    LATEST,
    aggregates_of,
    by_of,
    partials_of,
    state_types,
)
from raystream.operators.group_aggregate.step import GroupAggregate
from raystream.operators.tables import StateTable
from raystream.operators.window.aggregates import ROWS, Aggregation
from raystream.operators.window.values import Taken, Values
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows

_SUMS = (AggregateKind.SUM, AggregateKind.MEAN)


@dataclass(frozen=True, slots=True)
class News:
    """What a batch says of its keys.

    Args:
        keys: The keys, each once.
        partials: Of the batch by key, with NUMBER; or of the whole group, of those that have rows.
    """

    keys: pl.DataFrame
    partials: pl.DataFrame


class Groups:
    """How the groups of a step get from one batch to the next.

    Args:
        step: The step.
        columns: Columns of a batch.
        members: The rows of each group, if they are kept.
    """

    def __init__(
        self,
        step: GroupAggregate,
        columns: Mapping[str, pl.DataType],
        members: StateTable[KeyedTable],
    ) -> None:
        self._step = step
        self._by = by_of(step)
        self.aggregation = Aggregation(aggregates_of(step), columns)
        self.types = state_types(step, self.aggregation, columns)
        taken = Values(step.aggregates, columns).taken
        self._reads = {name for one in taken.values() for name in one.columns}
        self._recomputes = step.takes_back and not _subtracts(step, taken)
        self._members = members
        times = Aggregation({LATEST: aggregates_of(step)[LATEST]}, columns)
        kept = {*state_types(step, times, columns), *self._by} - {ROWS}
        self._negated = [_negative(n, t) for n, t in self.types.items() if n not in kept]

    def news(self, rows: pl.DataFrame) -> News:
        """The keys of rows that have their values, and their partials."""
        if self._recomputes:
            return self._again(rows)
        if not self._step.takes_back:
            partials = partials_of(self._step, self.aggregation, rows)
        else:
            added, gone = (self._signed(rows, gone=gone) for gone in (False, True))
            both = pl.concat([added, gone])
            numbered = both.with_columns(pl.Series(NUMBER, numbers(both, self._by), pl.Int64()))
            partials = self.aggregation.merge(numbered, NUMBER).drop(NUMBER)
        return News(partials.select(self._by), partials)

    def of_partials(self, partials: pl.DataFrame) -> News:
        """The keys of partials that several batches gave, and these together."""
        keys = numbers(partials, self._by)
        if not len(keys) or int(keys.max()) + 1 == len(keys):
            return News(partials.select(self._by), partials)
        numbered = partials.with_columns(pl.Series(NUMBER, keys, pl.Int64()))
        together = self.aggregation.merge(numbered, NUMBER).drop(NUMBER)
        return News(together.select(self._by), together)

    def merged(self, news: News, who: Rows, kept: pl.DataFrame) -> pl.DataFrame:
        """Partials of the groups with the batch, with NUMBER, which rises.

        Args:
            news: Of the batch.
            who: Number of the key of each row of `kept`.
            kept: Partials of the groups before the batch.
        """
        if self._recomputes:
            return news.partials
        columns = news.partials.columns
        old = kept.select(columns).with_columns(pl.Series(NUMBER, who, pl.Int64()))
        count = pl.int_range(news.partials.height, dtype=pl.Int64, eager=True).alias(NUMBER)
        both = pl.concat([old, news.partials.with_columns(count)])
        return self.aggregation.merge(both, NUMBER)

    def _signed(self, rows: pl.DataFrame, *, gone: bool) -> pl.DataFrame:
        """Partials of the rows that are added, or the negative ones of those taken back."""
        chosen = rows.filter(is_gone() if gone else ~is_gone())
        partials = partials_of(self._step, self.aggregation, chosen)
        return partials.with_columns(self._negated) if gone else partials

    def _again(self, rows: pl.DataFrame) -> News:
        """Partials of all rows that the groups have now."""
        changes = self._changes(rows)
        table = self._members.of({n: t for n, t in changes.schema.items() if n != NUMBER})
        ids = changes.get_column(NUMBER).to_numpy()
        keys = changes.select(self._by)[np.unique(ids, return_index=True)[1]]
        who, kept = table.find(keys)
        old = kept.with_columns(pl.Series(NUMBER, who, pl.Int64())).select(changes.columns)
        members = self._summed(pl.concat([old, changes]))
        table.put(members)
        gone = np.setdiff1d(np.arange(keys.height), members.get_column(NUMBER).to_numpy())
        if len(gone):
            table.delete(keys[gone])
        return News(keys, self._partials(members))

    def _changes(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows as members, a negative number of those taken back."""
        if not self._step.keys:
            rows = rows.with_columns(pl.lit(0, pl.Int8()).alias(ALL))
        place = ORDER in rows.columns
        placed = [TIME, *([ORDER] if place else [])] if self._by_time else []
        hidden = {*self._by, CHANGE, TIME, ORDER}
        values = [name for name in rows.columns if name in self._reads and name not in hidden]
        number = pl.Series(NUMBER, numbers(rows, self._by), pl.Int64())
        sign = pl.when(is_gone()).then(-1).otherwise(1).cast(pl.Int64())
        seen = pl.col(TIME).alias(SEEN)
        return rows.select(*self._by, *values, *placed, sign.alias(COPIES), seen, number)

    def _summed(self, members: pl.DataFrame) -> pl.DataFrame:
        """Equal members as one; those that are gone are left out."""
        same = [name for name in members.columns if name not in (COPIES, SEEN)]
        latest = pl.col(SEEN).max().over(NUMBER)
        summed = members.with_columns(latest).group_by(same, maintain_order=True)
        found = summed.agg(pl.col(COPIES).sum(), pl.col(SEEN).max())
        return found.filter(pl.col(COPIES) > 0).select(members.columns)

    def _partials(self, members: pl.DataFrame) -> pl.DataFrame:
        each = unfolded(members)
        if TIME not in each.columns:
            each = each.with_columns(pl.col(SEEN).alias(TIME))
        return self.aggregation.partial(each, [NUMBER, *self._by]).sort(NUMBER)

    @property
    def _by_time(self) -> bool:
        return any(asked.by_time for asked in self._step.aggregates.values())


def _negative(name: str, dtype: pl.DataType) -> pl.Expr:
    """Minus a column; Polars has no negation of 128 bits."""
    return (pl.lit(0).cast(dtype) - pl.col(name)).cast(dtype).alias(name)


def _subtracts(step: GroupAggregate, taken: Mapping[str, Taken]) -> bool:
    """Whether all aggregates stay exact when rows are taken back."""
    return all(
        asked.kind is AggregateKind.COUNT
        or (asked.kind in _SUMS and not asked.distinct and not taken[name].dtype.is_float())
        for name, asked in step.aggregates.items()
    )
