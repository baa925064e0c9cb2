"""Aggregates of a window: `rs.count()`, `rs.sum("amount")`, .."""

from __future__ import annotations

from typing import Any

from raystream.api.arguments import checked
from raystream.api.expressions import expression
from raystream.api.origin import wrong
from raystream.graph.aggregates import Aggregate, AggregateKind


@checked
def count(value: Any = None, *, where: Any = None) -> Aggregate:
    """Number of rows.

    Args:
        value: None: all rows. Else SQL text, an rs.col expression or a function of the row:
            only rows for which it is not null.
        where: SQL text, an rs.col expression or a function of the row: only rows for which it
            is true.

    >>> count(where="status >= 500").kind
    <AggregateKind.COUNT: 'count'>
    """
    return _aggregate(AggregateKind.COUNT, value, where)


@checked
def sum(value: Any, *, where: Any = None) -> Aggregate:  # noqa: A001 - the word users know
    """Exact sum of a value over rows, of integers and of decimals; 0 if there are no rows.

    A sum that does not fit its type is an error. `value` and `where` as in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> sums = rows.window(rs.tumbling("1d")).agg(all=rs.sum("n"), large=rs.sum("n", where="n > 2"))
    >>> sums.select("all", "large").collect().rows()
    [(9, 8)]
    """
    return _aggregate(AggregateKind.SUM, value, where)


@checked
def min(value: Any, *, where: Any = None) -> Aggregate:  # noqa: A001 - the word users know
    """Smallest value of an orderable type; `value` and `where` as in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(least=rs.min("n")).collect()["least"].to_list()
    [1]
    """
    return _aggregate(AggregateKind.MIN, value, where)


@checked
def max(value: Any, *, where: Any = None) -> Aggregate:  # noqa: A001 - the word users know
    """Greatest value of an orderable type (NaN is greatest); `value` and `where` as in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(most=rs.max("n")).collect()["most"].to_list()
    [5]
    """
    return _aggregate(AggregateKind.MAX, value, where)


@checked
def mean(value: Any, *, where: Any = None) -> Aggregate:
    """Mean of a value over the rows where it is not null; a decimal for decimals, else a float.

    `value` and `where` as in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(mean=rs.mean("n")).collect()["mean"].to_list()
    [3.0]
    """
    return _aggregate(AggregateKind.MEAN, value, where)


@checked
def first(value: Any, *, where: Any = None) -> Aggregate:
    """Value of the row with the least event time, null or not; `value` and `where` as in `count`.

    Rows with the same event time are in the order of their partition. All `first` of a window with
    the same `where` take the same row.

    >>> source = rs.Rows([{"ts": 2, "n": 5}, {"ts": 1, "n": 3}])
    >>> rows = rs.Pipeline("example").read(source, event_time="ts")
    >>> rows.window(rs.tumbling("1m")).agg(first=rs.first("n")).collect()["first"].to_list()
    [3]
    """
    return _aggregate(AggregateKind.FIRST, value, where)


@checked
def last(value: Any, *, where: Any = None) -> Aggregate:
    """Value of the row with the greatest event time, null or not.

    `value` and `where` as in `count`.
    Rows with the same event time are in the order of their partition. All `last` of a window with
    the same `where` take the same row.

    >>> source = rs.Rows([{"ts": 2, "n": 5}, {"ts": 1, "n": 3}])
    >>> rows = rs.Pipeline("example").read(source, event_time="ts")
    >>> rows.window(rs.tumbling("1m")).agg(last=rs.last("n")).collect()["last"].to_list()
    [5]
    """
    return _aggregate(AggregateKind.LAST, value, where)


@checked
def count_distinct(value: Any, *, where: Any = None) -> Aggregate:
    """Exact number of different values that are not null; `value` and `where` as in `count`.

    The state holds each value of a window once.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 1}]))
    >>> found = rows.window(rs.tumbling("1d")).agg(n=rs.count_distinct("n")).collect()
    >>> found["n"].to_list()
    [2]
    """
    return _aggregate(AggregateKind.COUNT_DISTINCT, value, where)


@checked
def variance(value: Any, *, where: Any = None) -> Aggregate:
    """Sample variance (divided by n - 1) of numbers, a float; null for fewer than two values.

    `value` and `where` as in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(var=rs.variance("n")).collect()["var"].to_list()
    [4.0]
    """
    return _aggregate(AggregateKind.VARIANCE, value, where)


@checked
def stddev(value: Any, *, where: Any = None) -> Aggregate:
    """Sample standard deviation: the square root of `variance`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(dev=rs.stddev("n")).collect()["dev"].to_list()
    [2.0]
    """
    return _aggregate(AggregateKind.STDDEV, value, where)


def _aggregate(kind: AggregateKind, value: Any, where: Any) -> Aggregate:
    if value is None and kind is not AggregateKind.COUNT:
        text = f"{kind} needs a value"
        raise wrong(text, f'write rs.{kind}("column")')
    return Aggregate(kind, _checked(value, kind), _checked(where, f"{kind}(where=)"))


def _checked(value: Any, what: str) -> Any:
    if value is None or callable(value):
        return value
    return expression(value, what)
