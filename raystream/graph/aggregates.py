"""Aggregates of a window: count, sum, min, max, ..; not their computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from raystream.graph.user_aggregates import RowAggregate, UserAggregate


class AggregateKind(StrEnum):
    """The kinds of aggregates."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    FIRST = "first"
    LAST = "last"
    ARG_MIN = "arg_min"
    ARG_MAX = "arg_max"
    COLLECT = "collect"
    TOP_K = "top_k"
    COUNT_DISTINCT = "count_distinct"
    VARIANCE = "variance"
    STDDEV = "stddev"
    QUANTILE = "quantile"
    APPROX_COUNT_DISTINCT = "approx_count_distinct"
    USER = "user"


PICKS = frozenset({AggregateKind.FIRST, AggregateKind.LAST})
"""Values of one row, by event time."""

ARGS = frozenset({AggregateKind.ARG_MIN, AggregateKind.ARG_MAX})
"""Values of the row where another value is least or greatest."""

DISTINCT = frozenset(
    {
        AggregateKind.SUM,
        AggregateKind.MEAN,
        AggregateKind.VARIANCE,
        AggregateKind.STDDEV,
        AggregateKind.COLLECT,
        AggregateKind.TOP_K,
    }
)
"""Kinds that may use each value once; `count_distinct` is a kind of its own."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One output column of `.agg(name=...)`.

    Args:
        kind: Which aggregate. `first` and `last` are by event time.
        value: None (count of rows; the whole row of an arg_min), SQL text, or a Polars expression.
        where: None, SQL text, or a Polars expression: only rows for which it is true are used.
        by: For arg_min and arg_max: what is least or greatest, as `value`.
        distinct: Each value is used once.
        limit: How many values a collect or top_k gives at most.
        quantile: From 0 (the least value) to 1 (the greatest).
        user: The aggregate of the user.
        inputs: What it is computed of, as `value`; none: the whole row, as a dict.
    """

    kind: AggregateKind
    value: Any = None
    where: Any = None
    by: Any = None
    distinct: bool = False
    limit: int | None = None
    quantile: float | None = None
    user: UserAggregate | None = None
    inputs: tuple[Any, ...] = ()

    @property
    def expressions(self) -> tuple[Any, ...]:
        """What it computes of each row, as it was written."""
        written = (self.by, self.value, *self.inputs, self.where)
        return tuple(each for each in written if each is not None)

    @property
    def of_whole_row(self) -> bool:
        """Whether it uses all columns of a row."""
        args = self.kind in ARGS and self.value is None
        return args or (self.kind is AggregateKind.USER and not self.inputs)

    @property
    def by_time(self) -> bool:
        """Whether it depends on the event time of rows."""
        return self.kind in PICKS or self.kind in ARGS or self.kind is AggregateKind.COLLECT

    @property
    def by_place(self) -> bool:
        """Whether rows of one event time are told apart by their places in their partitions."""
        collects = self.kind is AggregateKind.COLLECT and not self.distinct
        return self.kind in PICKS or collects

    @property
    def title(self) -> str:
        """Its name."""
        return str(self.kind) if self.user is None else self.user.name

    def words(self) -> str:
        """For people, and to compare with a checkpoint.

        >>> Aggregate(AggregateKind.SUM, "x", "x > 0", distinct=True).words()
        'sum(distinct x) where x > 0'
        """
        written = (self.by, self.value, *self.inputs)
        parts = [str(each) for each in written if each is not None]
        if parts and self.distinct:
            parts[0] = f"distinct {parts[0]}"
        numbers = (self.limit, self.quantile)
        parts += [str(each) for each in numbers if each is not None]
        where = "" if self.where is None else f" where {self.where}"
        return f"{self.title}({', '.join(parts)}){where}"


def functions_of(aggregates: Iterable[Aggregate]) -> tuple[Callable[..., Any], ...]:
    """The functions of the user that are called for rows."""
    users = (each.user for each in aggregates)
    return tuple(user.add for user in users if isinstance(user, RowAggregate))
