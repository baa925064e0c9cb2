"""Aggregates of a window: count, sum, min, max, ..; not their computation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AggregateKind(StrEnum):
    """The kinds of aggregates."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    FIRST = "first"
    LAST = "last"
    COUNT_DISTINCT = "count_distinct"
    VARIANCE = "variance"
    STDDEV = "stddev"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One output column of `.agg(name=...)`.

    Args:
        kind: Which aggregate. `first` and `last` are by event time.
        value: None (count of rows), SQL text, or a Polars expression.
        where: None, SQL text, or a Polars expression: only rows for which it is true are used.
    """

    kind: AggregateKind
    value: Any = None
    where: Any = None
