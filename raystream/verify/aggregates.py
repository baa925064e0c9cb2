"""Values of aggregates over the rows of a group, in plain Python."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import polars as pl

from raystream.graph.aggregates import PICKS, Aggregate, AggregateKind
from raystream.graph.user_aggregates import RowAggregate
from raystream.ids import HIDDEN
from raystream.verify.rows import Row, column, comparable
from raystream.verify.sketches import distinct, quantile


def values_of(step: Any, rows: list[Row]) -> dict[str, Given]:
    """Values and conditions of the aggregates, per row."""
    values = {
        name: _whole(rows) if asked.of_whole_row else _each(asked.value, rows)
        for name, asked in step.aggregates.items()
    }
    return {
        name: Given(
            values[name],
            _each(asked.where, rows),
            _each(asked.by, rows),
            [values[other] or [] for other in _of_same_row(step.aggregates, asked)],
            [column(each, rows) for each in asked.inputs],
        )
        for name, asked in step.aggregates.items()
    }


def _of_same_row(aggregates: Mapping[str, Aggregate], asked: Aggregate) -> list[str]:
    """Names of the arg_min (arg_max) that take the row of this one."""
    if asked.by is None:
        return []
    kind = (asked.kind, str(asked.by), str(asked.where))
    return [n for n, a in aggregates.items() if (a.kind, str(a.by), str(a.where)) == kind]


class Given(NamedTuple):
    """What an aggregate reads of each row; None: it reads nothing."""

    values: Sequence[Any] | None
    where: Sequence[Any] | None
    by: Sequence[Any] | None
    together: Sequence[Sequence[Any]]
    inputs: Sequence[Sequence[Any]]


def _each(written: Any, rows: list[Row]) -> list[Any] | None:
    return None if written is None else column(written, rows)


def _whole(rows: list[Row]) -> list[Row]:
    return [{n: v for n, v in row.items() if not n.startswith(HIDDEN)} for row in rows]


def finish(
    asked: Aggregate,
    members: Sequence[int],
    times: Sequence[int],
    values: Sequence[Any] | None,
    where: Sequence[Any] | None,
    by: Sequence[Any] | None,
    together: Sequence[Sequence[Any]],
    inputs: Sequence[Sequence[Any]],
) -> Any:
    """The value of one aggregate over the rows of one group."""
    chosen = [number for number in members if where is None or where[number]]
    if asked.user is not None:
        return _of_user(
            asked.user, [[each[n] for n in chosen] for each in inputs or [values or []]]
        )
    if values is None:
        return len(chosen)
    if by is not None:
        number = _best(asked.kind, chosen, times, by, together)
        return None if number is None else values[number]
    if asked.kind in PICKS:
        counted = sorted(chosen, key=lambda number: times[number])
    else:
        counted = [number for number in chosen if values[number] is not None]
    if asked.kind is AggregateKind.COLLECT:
        counted.sort(key=lambda number: times[number])
    found = [values[number] for number in counted]
    if asked.distinct:
        found = list({comparable(value): value for value in found}.values())
    if asked.quantile is not None:
        return quantile(found, asked.quantile)
    if asked.limit is not None:
        ordered = found if asked.kind is AggregateKind.COLLECT else _falling(found)
        return ordered[: asked.limit]
    return _AGGREGATES[asked.kind](found)


def _of_user(user: Any, inputs: list[list[Any]]) -> Any:
    """Rows with a null do not count."""
    known = [row for row in zip(*inputs, strict=True) if None not in row]
    if isinstance(user, RowAggregate):
        added = user.init()
        for row in known:
            added = user.add(added, *row)
        return added if user.result is None else user.result(added)
    if not known:
        return None
    frame = pl.DataFrame(known, schema=list(user.inputs), orient="row")
    partial = frame.select(each.alias(name) for name, each in user.partial.items())
    merged = partial.select(each.alias(name) for name, each in user.merge.items())
    return merged.select(user.result).item()


def _best(
    kind: AggregateKind,
    chosen: Sequence[int],
    times: Sequence[int],
    by: Sequence[Any],
    together: Sequence[Sequence[Any]],
) -> int | None:
    """The row where `by` is least or greatest; of these the first, of these the least values."""
    known = [number for number in chosen if by[number] is not None]
    if not known:
        return None
    best = (_least if kind is AggregateKind.ARG_MIN else _greatest)([by[n] for n in known])
    same = [n for n in known if comparable(by[n]) == comparable(best)]

    def place(number: int) -> Any:
        values = [_by_null_and_value(of_rows[number]) for of_rows in together]
        return (times[number] is not None, times[number] or 0, values)

    return min(same, key=place)


def _by_null_and_value(value: Any) -> Any:
    """Nulls first; rows by their columns, NaN greatest."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return (True, [_by_null_and_value(each) for each in inner])
    odd = value != value  # noqa: PLR0124 - only NaN is not itself
    return (value is not None, odd, 0 if odd or value is None else value)


def _falling(values: Sequence[Any]) -> list[Any]:
    """NaN first."""
    odd = [value for value in values if value != value]  # noqa: PLR0124 - only NaN is not itself
    usual = [value for value in values if value == value]  # noqa: PLR0124
    return [*odd, *sorted(usual, reverse=True)]


def _mean(values: Sequence[Any]) -> Any:
    """Of decimals with six digits behind the point at least, halves away from zero."""
    if not isinstance(values[0], Decimal):
        return sum(values) / len(values)
    digits = max(6, *(-int(value.as_tuple().exponent) for value in values))
    exact = Fraction(sum(map(Fraction, values)), len(values)) * 10**digits
    rounded = math.floor(abs(exact) + Fraction(1, 2))
    return Decimal(rounded if exact >= 0 else -rounded).scaleb(-digits)


def _variance(values: Sequence[Any]) -> float | None:
    """Divided by n - 1."""
    if len(values) < 2:
        return None
    finite = all(math.isfinite(value) for value in values)
    return statistics.variance(map(float, values)) if finite else math.nan


def _greatest(values: Sequence[Any]) -> Any:
    """NaN is greater than every number."""
    odd = [value for value in values if value != value]  # noqa: PLR0124 - only NaN is not itself
    return odd[0] if odd else max(values)


def _least(values: Sequence[Any]) -> Any:
    usual = [value for value in values if value == value]  # noqa: PLR0124 - only NaN is not itself
    return min(usual) if usual else values[0]


def _or_none(function: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    return lambda values: function(values) if values else None


_AGGREGATES: Mapping[AggregateKind, Callable[[Sequence[Any]], Any]] = {
    AggregateKind.COUNT: len,
    AggregateKind.SUM: sum,
    AggregateKind.MIN: _or_none(_least),
    AggregateKind.MAX: _or_none(_greatest),
    AggregateKind.MEAN: _or_none(_mean),
    AggregateKind.FIRST: _or_none(lambda values: values[0]),
    AggregateKind.LAST: _or_none(lambda values: values[-1]),
    AggregateKind.COUNT_DISTINCT: lambda values: len({comparable(value) for value in values}),
    AggregateKind.APPROX_COUNT_DISTINCT: distinct,
    AggregateKind.VARIANCE: _variance,
    AggregateKind.STDDEV: lambda values: (
        math.sqrt(_variance(values) or 0.0) if len(values) > 1 else None
    ),
}
