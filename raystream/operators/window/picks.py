"""First and last: values of one row, chosen by event time, then by its place in the input.

All `last` of a window with the same `where` (and all `first`) take the same row, nulls included.
Rows with the same event time are ordered by data.batch.ORDER, the place of the record in its
partition; without one (the rows come out of another window), by their values. So the result
depends neither on the order of arrival nor on how rows were cut into batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from raystream.data.batch import HIDDEN, ORDER, TIME
from raystream.graph.aggregates import Aggregate, AggregateKind

_AT, _ORDER, _PICK = f"{HIDDEN}at:", f"{HIDDEN}ord:", f"{HIDDEN}pick:"


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

    def of_rows(
        self, values: Mapping[str, str], where: str | None, types: Mapping[str, pl.DataType]
    ) -> pl.Expr:
        """A struct of the partial columns over the rows of a group.

        Args:
            values: Output name -> column of the rows.
            where: Column of the rows to consider; None: all.
            types: Columns of the rows.
        """
        placed = ORDER in types
        place = pl.col(ORDER) if placed else pl.lit(None, pl.Int128)
        fields = [pl.col(values[name]).alias(main) for main, name in self.columns.items()]
        row = pl.struct(pl.col(TIME).alias(self.at), place.alias(self.order), *fields)
        ties = [] if placed else [_sortable(c, types[c]) for c in dict.fromkeys(values.values())]
        by = [pl.col(TIME), *([place] if placed else ties)]
        if where is not None:
            row, by = row.filter(pl.col(where)), [column.filter(pl.col(where)) for column in by]
        return self._one(row, by, stable=placed)  # rows of one record are in order

    def of_partials(self, types: Mapping[str, pl.DataType]) -> pl.Expr:
        """Same, over partials."""
        known = pl.col(self.at).is_not_null()
        names = [self.at, self.order, *self.columns]
        by = [pl.col(self.at), pl.col(self.order), *(_sortable(c, types[c]) for c in self.columns)]
        return self._one(pl.struct(names).filter(known), [column.filter(known) for column in by])

    def unpacked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The struct as columns."""
        return frame.unnest(_PICK + self.leader)

    def _one(self, row: pl.Expr, by: list[pl.Expr], *, stable: bool = False) -> pl.Expr:
        ordered = row.sort_by(by, maintain_order=stable)
        return (ordered.first() if self.first else ordered.last()).alias(_PICK + self.leader)


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
