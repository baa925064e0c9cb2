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
from raystream.data.frames import gathered, narrowed
from raystream.graph.aggregates import AggregateKind
from raystream.ids import HIDDEN
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

_GONE = f"{HIDDEN}taken_back"
_SUMS = (AggregateKind.SUM, AggregateKind.MEAN)


@dataclass(frozen=True, slots=True)
class News:
    """What a batch says of its keys.

    Args:
        keys: The keys, each once.
        partials: Of the batch, some for each key; or of the whole group with NUMBER, of those that
            have rows.
        whose: Number of the key of each of the partials.
    """

    keys: pl.DataFrame
    partials: pl.DataFrame
    whose: Rows


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
        if self._step.takes_back:
            return self.of_partials(self._signed(rows))
        partials = partials_of(self._step, self.aggregation, rows)
        return News(narrowed(partials, self._by), partials, np.arange(partials.height))

    def of_partials(self, partials: pl.DataFrame) -> News:
        """Partials of which several may be of one key."""
        whose = numbers(partials, self._by)
        first = np.unique(whose, return_index=True)[1]
        return News(gathered(narrowed(partials, self._by), first), partials, whose)

    def merged(self, news: News, who: Rows, kept: pl.DataFrame) -> pl.DataFrame:
        """Partials of the groups with the batch, with NUMBER, which rises.

        Args:
            news: Of the batch.
            who: Number of the key of each row of `kept`.
            kept: Partials of the groups before the batch.
        """
        if self._recomputes:
            return news.partials
        both = pl.concat([narrowed(kept, news.partials.columns), news.partials], rechunk=True)
        number = pl.Series(NUMBER, np.concatenate([who, news.whose]))
        return self.aggregation.merge(both.hstack([number]), NUMBER)

    def _signed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Partials of the rows that are added, and the negative ones of those taken back."""
        partials = partials_of(self._step, self.aggregation, rows, is_gone().alias(_GONE))
        return partials.with_columns(self._negated).drop(_GONE)

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
        partials = self._partials(members)
        return News(keys, partials, partials.get_column(NUMBER).to_numpy())

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
    """Minus a column where rows are taken back; Polars has no negation of 128 bits."""
    negative = (pl.lit(0).cast(dtype) - pl.col(name)).cast(dtype)
    return pl.when(pl.col(_GONE)).then(negative).otherwise(pl.col(name)).alias(name)


def _subtracts(step: GroupAggregate, taken: Mapping[str, Taken]) -> bool:
    """Whether all aggregates stay exact when rows are taken back."""
    return all(
        asked.kind is AggregateKind.COUNT
        or (asked.kind in _SUMS and not asked.distinct and not taken[name].dtype.is_float())
        for name, asked in step.aggregates.items()
    )
