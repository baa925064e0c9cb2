"""Values of aggregates over the rows of a group, in plain Python."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.verify.rows import Row, column, comparable


def values_of(step: Any, rows: list[Row]) -> dict[str, tuple[Any, Any]]:
    """Values and conditions of the aggregates, per row."""
    return {
        name: (
            None if asked.value is None else column(asked.value, rows),
            None if asked.where is None else column(asked.where, rows),
        )
        for name, asked in step.aggregates.items()
    }


def finish(
    asked: Aggregate,
    members: Sequence[int],
    times: Sequence[int],
    values: Sequence[Any] | None,
    where: Sequence[Any] | None,
) -> Any:
    """The value of one aggregate over the rows of one group."""
    chosen = [number for number in members if where is None or where[number]]
    if values is None:
        return len(chosen)
    if asked.kind in (AggregateKind.FIRST, AggregateKind.LAST):
        counted = sorted(chosen, key=lambda number: times[number])
    else:
        counted = [number for number in chosen if values[number] is not None]
    return _AGGREGATES[asked.kind]([values[number] for number in counted])


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
    AggregateKind.VARIANCE: _variance,
    AggregateKind.STDDEV: lambda values: (
        math.sqrt(_variance(values) or 0.0) if len(values) > 1 else None
    ),
}
