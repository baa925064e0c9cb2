"""Values of one row: first and last by event time, arg_min and arg_max by another value.

First and last are chosen by event time, then by the place of the row in the input. All `last` of a
window with the same `where` (and all `first`) take the same row, nulls included.
Rows with the same event time are ordered by data.batch.ORDER, the place of the record in its
partition; without one (the rows come out of another window), by their values. So the result
depends neither on the order of arrival nor on how rows were cut into batches.

Of the rows with the least (greatest) value an arg_min (arg_max) takes the one with the least event
time, of these the one with the least values; all with the same `by` and `where` take the same row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from raystream.data.batch import HIDDEN, ORDER, TIME
from raystream.graph.aggregates import ARGS, PICKS, Aggregate, AggregateKind
from raystream.state.fold import Choice

_AT, _ORDER, _RANK = f"{HIDDEN}at:", f"{HIDDEN}ord:", f"{HIDDEN}rank:"
_BEST = f"{HIDDEN}best:"

PLACES = (_AT, _ORDER, _BEST)
"""Beginnings of the names of columns that say where a value is from."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Aggregates whose values are from one row.

    Args:
        first: The first row, else the last.
        columns: Partial column -> output name.
        leader: Names the columns of time and place.
        greatest: Of an arg_max; False: of an arg_min; None: first or last by event time.
    """

    first: bool
    columns: Mapping[str, str]
    leader: str
    greatest: bool | None = None

    @property
    def at(self) -> str:
        """Column of the event time of the row; null if no row was chosen."""
        return _AT + self.leader

    @property
    def order(self) -> str:
        """Column of its place in the input."""
        return _ORDER + self.leader

    @property
    def best(self) -> str:
        """Column of the least or greatest value."""
        return _BEST + self.leader

    @property
    def places(self) -> tuple[str, ...]:
        """Columns that say which row was chosen, beside its values."""
        return (self.at, self.order) if self.greatest is None else (self.best, self.at)

    @property
    def rank(self) -> str:
        """Column of the chosen row of a group."""
        return _RANK + self.leader

    def ranked(
        self,
        rows: pl.DataFrame,
        values: Mapping[str, str],
        where: str | None,
        by: str | None = None,
    ) -> tuple[pl.Series, pl.DataFrame]:
        """Rank of each row (null: not to be considered), and the partial columns by rank.

        Args:
            rows: With TIME, and perhaps ORDER.
            values: Output name -> column of the rows.
            where: Column of the rows to consider; None: all.
            by: Column of what is least or greatest, for arg_min and arg_max.
        """
        if by is not None:
            return self._ranked_by(rows, values, where, by)
        placed = ORDER in rows.schema
        place = pl.col(ORDER) if placed else pl.lit(None, pl.Int128)
        fields = [pl.col(values[name]).alias(main) for main, name in self.columns.items()]
        columns = [pl.col(TIME).alias(self.at), place.alias(self.order), *fields]
        order = self._choice(values, placed=placed).order(rows)
        found = self._ranks(order)
        if where is not None:
            found = rows.select(pl.when(where).then(found).alias(self.rank)).to_series()
        return found, rows.select(columns)[order]

    def _ranked_by(
        self, rows: pl.DataFrame, values: Mapping[str, str], where: str | None, by: str
    ) -> tuple[pl.Series, pl.DataFrame]:
        fields = [pl.col(values[name]).alias(main) for main, name in self.columns.items()]
        columns = [pl.col(by).alias(self.best), pl.col(TIME).alias(self.at), *fields]
        found = rows.select(columns)
        order = self.choice().order(found)
        known = pl.col(by).is_not_null()
        considered = rows.select(known if where is None else known & pl.col(where)).to_series()
        ranks = self._ranks(order)
        return ranks.set(~considered.fill_null(value=False), None), found[order]

    def _ranks(self, order: np.ndarray[Any, Any]) -> pl.Series:
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        return pl.Series(self.rank, ranks)

    def chosen(self) -> pl.Expr:
        """Rank of the row of a group; null if none is considered."""
        rank = pl.col(self.rank)
        return rank.min() if self.first else rank.max()

    def choice(self) -> Choice:
        """How partials are merged."""
        names = [*self.places, *self.columns]
        by = [*map(pl.col, self.places), *map(pl.col, self.columns)]
        return Choice(names, by, self.first, descending=self.greatest is True)

    def _choice(self, values: Mapping[str, str], *, placed: bool) -> Choice:
        """By place, of which rows of one record have the same; or by values."""
        ties = [pl.col(column) for column in dict.fromkeys(values.values())]
        by = [pl.col(TIME), *([pl.col(ORDER)] if placed else ties)]
        return Choice((), by, self.first, stable=placed)


def picks(aggregates: Mapping[str, Aggregate], prefix: str) -> list[Pick]:
    """The aggregates that are values of one row, grouped by the row that they take.

    Args:
        aggregates: Output name -> aggregate.
        prefix: Of the partial columns.
    """
    groups: list[tuple[Aggregate, list[str]]] = []
    for name, asked in aggregates.items():
        if asked.kind not in PICKS | ARGS:
            continue
        names = next((names for one, names in groups if _same_row(one, asked)), None)
        if names is None:
            groups.append((asked, [name]))
        else:
            names.append(name)
    return [
        Pick(
            asked.kind is not AggregateKind.LAST,
            {prefix + name: name for name in names},
            names[0],
            asked.kind is AggregateKind.ARG_MAX if asked.kind in ARGS else None,
        )
        for asked, names in groups
    ]


def relabelled(frame: pl.DataFrame, wanted: Sequence[Pick]) -> pl.DataFrame:
    """Relabel partials whose row was named after another aggregate of the same group."""
    names: dict[str, str] = {}
    for pick in wanted:
        mark = _ORDER if pick.greatest is None else _BEST
        if mark + pick.leader not in frame.columns:
            leaders = [n for n in pick.columns.values() if mark + n in frame.columns]
            if leaders:
                names |= {mark + leaders[0]: mark + pick.leader, _AT + leaders[0]: pick.at}
    return frame.rename(names) if names else frame


def upgraded(frame: pl.DataFrame, wanted: Sequence[Pick]) -> pl.DataFrame:
    """Convert partials of a version that kept no place of the row, and a time per aggregate."""
    adds = []
    for pick in wanted:
        if pick.greatest is None and pick.order not in frame.columns:
            times = [t for name in pick.columns.values() if (t := _AT + name) in frame.columns]
            extreme = pl.min_horizontal(times) if pick.first else pl.max_horizontal(times)
            adds += [extreme.alias(pick.at), pl.lit(None, pl.Int128).alias(pick.order)]
    return frame.with_columns(adds) if adds else frame


def _same_row(one: Aggregate, other: Aggregate) -> bool:
    return one.kind is other.kind and _same(one.where, other.where) and _same(one.by, other.by)


def _same(one: Any, other: Any) -> bool:
    """Whether two expressions were written alike."""
    if isinstance(one, pl.Expr) and isinstance(other, pl.Expr):
        return one.meta.eq(other)
    return type(one) is type(other) and bool(one == other)
