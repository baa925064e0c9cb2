"""Aggregates whose partial is a list of values: collect, the greatest ones, distinct ones."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from raystream.data.batch import HIDDEN, ORDER, TIME
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.operators.window.numbers import Answer, mean_of, sum_of, summed
from raystream.operators.window.spread import spread, variance_of

_ROW, _VALUE = f"{HIDDEN}row", f"{HIDDEN}value"
_MAIN, _HIGH, _NUMBER = f"{HIDDEN}main", f"{HIDDEN}high", f"{HIDDEN}number"


class ListMeasure(Protocol):
    """How one aggregate is computed whose partial is one column of lists.

    The list of no rows is empty.
    """

    def partial(self, rows: pl.DataFrame, column: str) -> pl.Expr:
        """The list over the rows of a group, given the column of their values."""
        ...

    def merged(self, lists: pl.Expr) -> pl.Expr:
        """The list over the partials of a group."""
        ...

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The results of merged partials."""
        ...


def list_measure(asked: Aggregate) -> ListMeasure | None:
    """For aggregates that keep a list; None: this one keeps none."""
    match asked.kind:
        case AggregateKind.COLLECT:
            return Collect(asked.limit or 1, distinct=asked.distinct)
        case AggregateKind.TOP_K:
            return TopK(asked.limit or 1, distinct=asked.distinct)
        case AggregateKind.COUNT_DISTINCT:
            return Distinct(asked.kind)
        case _:
            return Distinct(asked.kind) if asked.distinct else None


class Collect:
    """The first values by event time, place in the partition and value; one more than are given.

    Args:
        limit: How many are given.
        distinct: Each value once, with its first row.
    """

    def __init__(self, limit: int, *, distinct: bool) -> None:
        self._limit, self._distinct = limit, distinct

    def partial(self, rows: pl.DataFrame, column: str) -> pl.Expr:
        """The first values of the rows, with where they are from."""
        place = pl.col(ORDER) if ORDER in rows.columns else pl.lit(None, pl.Int128)
        value = pl.col(column)
        if rows.schema[column].is_float() and self._distinct:
            value = pl.when(value == 0).then(0.0).otherwise(value)  # not -0.0
        item = pl.struct(pl.col(TIME).alias("at"), place.alias("place"), value.alias("value"))
        return self._first(item.filter(value.is_not_null()))

    def merged(self, lists: pl.Expr) -> pl.Expr:
        """The first of all."""
        return self._first(_joined(lists))

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The values, and where some are left out."""
        lists = frame.get_column(column)
        values = pl.element().struct.field("value")
        given = lists.list.head(self._limit).list.eval(values)
        return Answer(given, cut=lists.list.len() > self._limit)

    def _first(self, items: pl.Expr) -> pl.Expr:
        ordered = items.sort_by(items.struct.field(n) for n in ("at", "place", "value"))
        if self._distinct:
            ordered = ordered.filter(ordered.struct.field("value").is_first_distinct())
        return ordered.head(self._limit + 1)


class TopK:
    """The greatest values, falling; NaN is the greatest.

    Args:
        limit: How many.
        distinct: Each value once.
    """

    def __init__(self, limit: int, *, distinct: bool) -> None:
        self._limit, self._distinct = limit, distinct

    def partial(self, rows: pl.DataFrame, column: str) -> pl.Expr:
        """The greatest of the rows."""
        return self._greatest(pl.col(column).drop_nulls())

    def merged(self, lists: pl.Expr) -> pl.Expr:
        """The greatest of all."""
        return self._greatest(_joined(lists))

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The values."""
        return Answer(frame.get_column(column))

    def _greatest(self, values: pl.Expr) -> pl.Expr:
        each = values.unique() if self._distinct else values
        return each.sort(descending=True).head(self._limit)


class Distinct:
    """Each value once; the aggregate is computed over them at the end.

    Args:
        kind: The aggregate.
    """

    def __init__(self, kind: AggregateKind) -> None:
        self._kind = kind

    def partial(self, rows: pl.DataFrame, column: str) -> pl.Expr:
        """The values of the rows."""
        return pl.col(column).drop_nulls().unique()

    def merged(self, lists: pl.Expr) -> pl.Expr:
        """Those of all."""
        return _joined(lists).unique()

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """Their number, or the aggregate over them."""
        lists = frame.get_column(column)
        if self._kind is AggregateKind.COUNT_DISTINCT:
            return Answer(lists.list.len().cast(pl.Int64))
        numbers = (
            pl.DataFrame({_VALUE: lists}).with_row_index(_ROW).explode(_VALUE, empty_as_null=True)
        )
        ordered = numbers.sort(_ROW, _VALUE)  # a sum of floats does not depend on their order
        of_kind = self._parts(ordered)
        parts = ordered.group_by(_ROW, maintain_order=True).agg(of_kind)
        match self._kind:
            case AggregateKind.SUM:
                return sum_of(parts, _MAIN, _HIGH)
            case AggregateKind.MEAN:
                return mean_of(parts, _MAIN, _HIGH, _NUMBER)
            case AggregateKind.VARIANCE:
                return variance_of(parts, _MAIN, _NUMBER)
            case _:
                return Answer(variance_of(parts, _MAIN, _NUMBER).values.sqrt())

    def _parts(self, numbers: pl.DataFrame) -> list[pl.Expr]:
        if self._kind in (AggregateKind.VARIANCE, AggregateKind.STDDEV):
            return spread(_VALUE, _MAIN, _HIGH, _NUMBER)
        count = pl.col(_VALUE).count().cast(pl.Int64).alias(_NUMBER)
        return [*summed(numbers, _VALUE, _MAIN, _HIGH), count]


def _joined(lists: pl.Expr) -> pl.Expr:
    """All items of the lists of a group."""
    return lists.list.explode().drop_nulls()
