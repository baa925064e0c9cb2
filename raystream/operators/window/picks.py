"""First and last: values of one row, chosen by event time, then by its place in the input.

All `last` of a window with the same `where` (and all `first`) take the same row, nulls included.
Rows with the same event time are ordered by data.batch.ORDER, the place of the record in its
partition; without one (the rows come out of another window), by their values. So the result
depends neither on the order of arrival nor on how rows were cut into batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.batch import HIDDEN, ORDER, TIME
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.state.fold import Choice

_AT, _ORDER, _RANK = f"{HIDDEN}at:", f"{HIDDEN}ord:", f"{HIDDEN}rank:"

PLACES = (_AT, _ORDER)
"""Beginnings of the names of columns that say where a value is from."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Aggregates whose values are from one row.

    Args:
        first: The first row, else the last.
        columns: Partial column -> output name.
        leader: Names the columns of time and place.
    """

    first: bool
    columns: Mapping[str, str]
    leader: str

    @property
    def at(self) -> str:
        """Column of the event time of the row; null if no row was chosen."""
        return _AT + self.leader

    @property
    def order(self) -> str:
        """Column of its place in the input."""
        return _ORDER + self.leader

    @property
    def rank(self) -> str:
        """Column of the chosen row of a group."""
        return _RANK + self.leader

    def ranked(
        self, rows: pl.DataFrame, values: Mapping[str, str], where: str | None
    ) -> tuple[pl.Series, pl.DataFrame]:
        """Rank of each row (null: not to be considered), and the partial columns by rank.

        Args:
            rows: With TIME, and perhaps ORDER.
            values: Output name -> column of the rows.
            where: Column of the rows to consider; None: all.
        """
        placed = ORDER in rows.schema
        place = pl.col(ORDER) if placed else pl.lit(None, pl.Int128)
        fields = [pl.col(values[name]).alias(main) for main, name in self.columns.items()]
        columns = [pl.col(TIME).alias(self.at), place.alias(self.order), *fields]
        order = self._choice(rows.schema, values, placed=placed).order(rows)
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        found = pl.Series(self.rank, ranks)
        if where is not None:
            found = rows.select(pl.when(where).then(found).alias(self.rank)).to_series()
        return found, rows.select(columns)[order]

    def chosen(self) -> pl.Expr:
        """Rank of the row of a group; null if none is considered."""
        rank = pl.col(self.rank)
        return rank.min() if self.first else rank.max()

    def choice(self, types: Mapping[str, pl.DataType]) -> Choice:
        """How partials are merged."""
        names = [self.at, self.order, *self.columns]
        by = [pl.col(self.at), pl.col(self.order), *(_sortable(c, types[c]) for c in self.columns)]
        return Choice(names, by, self.first)

    def _choice(
        self, types: Mapping[str, pl.DataType], values: Mapping[str, str], *, placed: bool
    ) -> Choice:
        """By place, of which rows of one record have the same; or by values."""
        ties = [_sortable(column, types[column]) for column in dict.fromkeys(values.values())]
        by = [pl.col(TIME), *([pl.col(ORDER)] if placed else ties)]
        return Choice((), by, self.first, stable=placed)


def picks(aggregates: Mapping[str, Aggregate], prefix: str) -> list[Pick]:
    """The first and last among aggregates, grouped by the row that they take.

    Args:
        aggregates: Output name -> aggregate.
        prefix: Of the partial columns.
    """
    groups: list[tuple[Aggregate, list[str]]] = []
    for name, asked in aggregates.items():
        if asked.kind not in (AggregateKind.FIRST, AggregateKind.LAST):
            continue
        names = next((names for one, names in groups if _same_row(one, asked)), None)
        if names is None:
            groups.append((asked, [name]))
        else:
            names.append(name)
    return [
        Pick(asked.kind is AggregateKind.FIRST, {prefix + name: name for name in names}, names[0])
        for asked, names in groups
    ]


def relabelled(frame: pl.DataFrame, wanted: Sequence[Pick]) -> pl.DataFrame:
    """Relabel partials whose row was named after another aggregate of the same group."""
    names: dict[str, str] = {}
    for pick in wanted:
        if pick.order not in frame.columns:
            leaders = [n for n in pick.columns.values() if _ORDER + n in frame.columns]
            if leaders:
                names |= {_AT + leaders[0]: pick.at, _ORDER + leaders[0]: pick.order}
    return frame.rename(names) if names else frame


def upgraded(frame: pl.DataFrame, wanted: Sequence[Pick]) -> pl.DataFrame:
    """Convert partials of a version that kept no place of the row, and a time per aggregate."""
    adds = []
    for pick in wanted:
        if pick.order not in frame.columns:
            times = [t for name in pick.columns.values() if (t := _AT + name) in frame.columns]
            extreme = pl.min_horizontal(times) if pick.first else pl.max_horizontal(times)
            adds += [extreme.alias(pick.at), pl.lit(None, pl.Int128).alias(pick.order)]
    return frame.with_columns(adds) if adds else frame


def _same_row(one: Aggregate, other: Aggregate) -> bool:
    if one.kind is not other.kind:
        return False
    if isinstance(one.where, pl.Expr) and isinstance(other.where, pl.Expr):
        return one.where.meta.eq(other.where)
    return type(one.where) is type(other.where) and bool(one.where == other.where)


def _sortable(column: str, dtype: pl.DataType) -> pl.Expr:
    """Lists and objects have no order; any fixed one is sufficient."""
    return pl.col(column).hash(0) if dtype.is_nested() else pl.col(column)
