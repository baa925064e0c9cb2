"""How aggregates are computed: per batch (partial), merged, and finished.

Nulls do not count, in any aggregate. Of no value at all: `count` and `sum` are 0, the others null.
Sums of integers and booleans are Int64, all other sums and means Float64. `first` and `last` are by
event time; among values of the same time `first` is the smallest and `last` the largest, so that
the result does not depend on the order of arrival.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from raystream.data.batch import HIDDEN, TIME
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.operators.expressions import compile_expression

ROWS = "__rows"
"""Int64: how many rows are in a partial."""

_MAIN, _NUMBER, _AT = f"{HIDDEN}agg:", f"{HIDDEN}num:", f"{HIDDEN}at:"


@dataclass(frozen=True, slots=True)
class Part:
    """One partial column of an aggregate.

    Args:
        name: Hidden name of the column.
        partial: Over the rows of a group, or None in a subtask that only merges.
        merge: Over the partials of a group.
    """

    name: str
    partial: pl.Expr | None
    merge: pl.Expr


class Aggregation:
    """All aggregates of a window, compiled.

    Args:
        aggregates: Output name -> what is asked.
        columns: Columns of the rows, or None if the input is partials.

    Raises:
        ConfigurationError: a column does not exist or cannot be summed.
    """

    def __init__(
        self, aggregates: Mapping[str, Aggregate], columns: Mapping[str, pl.DataType] | None
    ) -> None:
        self._parts = [
            part for name, asked in aggregates.items() for part in _parts(name, asked, columns)
        ]
        self._finish = [_finish(name, asked.kind) for name, asked in aggregates.items()]

    def partial(self, frame: pl.DataFrame, by: Sequence[str | pl.Expr]) -> pl.DataFrame:
        """One row of partials per group of rows (with TIME)."""
        parts = [part.partial.alias(part.name) for part in self._parts if part.partial is not None]
        return frame.group_by(by).agg(*parts, pl.len().cast(pl.Int64).alias(ROWS))

    def merge(self, frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
        """One row of partials per group of partials."""
        merged = [part.merge.alias(part.name) for part in self._parts]
        return frame.group_by(by).agg(*merged, pl.col(ROWS).sum())

    def finish(self) -> list[pl.Expr]:
        """Output columns from merged partials."""
        return self._finish


def _parts(
    name: str, asked: Aggregate, columns: Mapping[str, pl.DataType] | None
) -> Sequence[Part]:
    """Partial columns of one aggregate; their expressions over rows only if `columns` are known."""
    value = _value(name, asked, columns) if columns is not None else None
    main, time, number = _MAIN + name, _AT + name, _NUMBER + name
    match asked.kind:
        case AggregateKind.COUNT:
            return [Part(main, _counted(asked, value, columns), pl.col(main).sum())]
        case AggregateKind.SUM:
            return [Part(main, _sum(value), pl.col(main).sum())]
        case AggregateKind.MIN:
            return [Part(main, value.min() if value is not None else None, pl.col(main).min())]
        case AggregateKind.MAX:
            return [Part(main, value.max() if value is not None else None, pl.col(main).max())]
        case AggregateKind.MEAN:
            count = None if value is None else value.count().cast(pl.Int64)
            return [
                Part(main, _sum(value), pl.col(main).sum()),
                Part(number, count, pl.col(number).sum()),
            ]
        case AggregateKind.FIRST | AggregateKind.LAST:
            return _by_time(asked.kind is AggregateKind.FIRST, value, main, time)


def _by_time(first: bool, value: pl.Expr | None, main: str, time: str) -> Sequence[Part]:
    def extreme(values: pl.Expr, times: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
        ordered = values.sort_by(times, values, descending=not first, nulls_last=True)
        return ordered.first(), times.min() if first else times.max()

    merged, merged_time = extreme(pl.col(main), pl.col(time))
    if value is None:
        return [Part(main, None, merged), Part(time, None, merged_time)]
    present = pl.when(value.is_not_null()).then(pl.col(TIME))
    part, part_time = extreme(value, present)
    return [Part(main, part, merged), Part(time, part_time, merged_time)]


def _value(name: str, asked: Aggregate, columns: Mapping[str, pl.DataType]) -> pl.Expr | None:
    """The value that is aggregated, null where `where` is not true; numbers widened for sums."""
    if asked.value is None:
        if asked.kind is not AggregateKind.COUNT:
            what = f"{name}: {asked.kind} of nothing"
            raise ConfigurationError(what, what_to_do=f"write {asked.kind}(column)")
        return None
    value = compile_expression(asked.value, columns)
    if asked.kind in (AggregateKind.SUM, AggregateKind.MEAN):
        value = value.cast(_wide(name, asked, value, columns))
    if asked.where is None:
        return value
    return pl.when(compile_expression(asked.where, columns)).then(value)


def _wide(
    name: str, asked: Aggregate, value: pl.Expr, columns: Mapping[str, pl.DataType]
) -> pl.DataType:
    dtype = pl.LazyFrame(schema=columns).select(value.alias("v")).collect_schema()["v"]
    if dtype.is_integer() or dtype == pl.Boolean:
        return pl.Int64()
    if dtype.is_float() or dtype.is_decimal():
        return pl.Float64()
    what = f"{name}: {asked.kind} of {dtype}"
    raise ConfigurationError(what, what_to_do="give a column of numbers")


def _counted(
    asked: Aggregate, value: pl.Expr | None, columns: Mapping[str, pl.DataType] | None
) -> pl.Expr | None:
    if columns is None:
        return None
    if value is not None:
        return value.count().cast(pl.Int64)
    if asked.where is None:
        return pl.len().cast(pl.Int64)
    return compile_expression(asked.where, columns).sum().cast(pl.Int64)


def _sum(value: pl.Expr | None) -> pl.Expr | None:
    return None if value is None else value.sum()


def _finish(name: str, kind: AggregateKind) -> pl.Expr:
    column = pl.col(_MAIN + name)
    if kind is AggregateKind.MEAN:
        number = pl.col(_NUMBER + name)
        return pl.when(number > 0).then(column / number).alias(name)
    return column.alias(name)
