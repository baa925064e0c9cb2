"""Aggregates of a window: `rs.count()`, `rs.sum("amount")`, .."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from raystream.api.arguments import checked
from raystream.api.expressions import expression
from raystream.api.origin import wrong
from raystream.graph.aggregates import Aggregate, AggregateKind


@checked
def count(value: Any = None, *, where: Any = None, distinct: bool = False) -> Aggregate:
    """Number of rows.

    Args:
        value: None: all rows. Else SQL text, an rs.col expression or a function of the row:
            only rows for which it is not null.
        where: SQL text, an rs.col expression or a function of the row: only rows for which it
            is true.
        distinct: Count each value once, as `count_distinct` does.

    >>> count(where="status >= 500").kind
    <AggregateKind.COUNT: 'count'>
    """
    kind = AggregateKind.COUNT_DISTINCT if distinct else AggregateKind.COUNT
    return _aggregate(kind, value, where)


@checked
def sum(  # noqa: A001 - the word users know
    value: Any, *, where: Any = None, distinct: bool = False
) -> Aggregate:
    """Exact sum of a value over rows, of integers and of decimals; 0 if there are no rows.

    A sum that does not fit its type is an error. `value` and `where` as in `count`.
    `distinct`: each value is used once; the state holds each value of a window once.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> sums = rows.window(rs.tumbling("1d")).agg(all=rs.sum("n"), large=rs.sum("n", where="n > 2"))
    >>> sums.select("all", "large").collect().rows()
    [(9, 8)]
    """
    return _aggregate(AggregateKind.SUM, value, where, distinct=distinct)


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
def mean(value: Any, *, where: Any = None, distinct: bool = False) -> Aggregate:
    """Mean of a value over the rows where it is not null; a decimal for decimals, else a float.

    `value` and `where` as in `count`, `distinct` as in `sum`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(mean=rs.mean("n")).collect()["mean"].to_list()
    [3.0]
    """
    return _aggregate(AggregateKind.MEAN, value, where, distinct=distinct)


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
def variance(value: Any, *, where: Any = None, distinct: bool = False) -> Aggregate:
    """Sample variance (divided by n - 1) of numbers, a float; null for fewer than two values.

    `value` and `where` as in `count`, `distinct` as in `sum`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(var=rs.variance("n")).collect()["var"].to_list()
    [4.0]
    """
    return _aggregate(AggregateKind.VARIANCE, value, where, distinct=distinct)


@checked
def stddev(value: Any, *, where: Any = None, distinct: bool = False) -> Aggregate:
    """Sample standard deviation: the square root of `variance`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(dev=rs.stddev("n")).collect()["dev"].to_list()
    [2.0]
    """
    return _aggregate(AggregateKind.STDDEV, value, where, distinct=distinct)


@checked
def arg_min(by: Any, value: Any = None, *, where: Any = None) -> Aggregate:
    """A value of the row where another is least, null or not; null if `by` is null in all rows.

    Of rows with the same `by` it is the one with the least event time, of these the one with the
    least values. All `arg_min` with the same `by` and `where` take the same row.

    Args:
        by: What is least, of an orderable type: SQL text, an rs.col expression or a function of
            the row.
        value: What is given of that row, as `by`; None: the whole row, as a struct.
        where: Only rows for which it is true.

    >>> source = rs.Rows([{"shop": "a", "price": 5}, {"shop": "b", "price": 3}])
    >>> rows = rs.Pipeline("example").read(source).window(rs.tumbling("1d"))
    >>> rows.agg(shop=rs.arg_min("price", "shop")).collect()["shop"].to_list()
    ['b']
    """
    return _of_row(AggregateKind.ARG_MIN, by, value, where)


@checked
def arg_max(by: Any, value: Any = None, *, where: Any = None) -> Aggregate:
    """A value of the row where another is greatest (NaN is); all else as in `arg_min`.

    >>> source = rs.Rows([{"shop": "a", "price": 5}, {"shop": "b", "price": 3}])
    >>> rows = rs.Pipeline("example").read(source).window(rs.tumbling("1d"))
    >>> rows.agg(best=rs.arg_max("price")).collect()["best"].to_list()
    [{'shop': 'a', 'price': 5}]
    """
    return _of_row(AggregateKind.ARG_MAX, by, value, where)


@checked
def collect(value: Any, *, limit: int, where: Any = None, distinct: bool = False) -> Aggregate:
    """The values that are not null as a list, in the order of event time, as for `first`.

    If there are more, the first `limit` are given, and the result is counted in `cut_lists` of the
    status; `rs.count(value)` beside it is the number of all.

    Args:
        value: As in `count`.
        limit: How many values a list has at most; so many are kept in the state.
        where: As in `count`.
        distinct: Each value once, where it came first.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"ts": 2, "n": 5}, {"ts": 1, "n": 3}]),
    ...                                    event_time="ts")
    >>> found = rows.window(rs.tumbling("1d")).agg(all=rs.collect("n", limit=100)).collect()
    >>> found["all"].to_list()
    [[3, 5]]
    """
    asked = _aggregate(AggregateKind.COLLECT, value, where, distinct=distinct)
    return replace(asked, limit=_at_least_one(limit, "collect: limit"))


@checked
def top_k(value: Any, k: int, *, where: Any = None, distinct: bool = False) -> Aggregate:
    """The greatest values as a list, falling; NaN is the greatest, nulls do not count.

    Args:
        value: Of an orderable type, as in `count`.
        k: How many.
        where: As in `count`.
        distinct: Each value once.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(top=rs.top_k("n", 2)).collect()["top"].to_list()
    [[5, 3]]
    """
    asked = _aggregate(AggregateKind.TOP_K, value, where, distinct=distinct)
    return replace(asked, limit=_at_least_one(k, "top_k: k"))


@checked
def quantile(value: Any, q: float, *, where: Any = None) -> Aggregate:
    """The value that a share of all values is below, within 1 %; a float, null without values.

    It is the value at place floor(q * (n - 1)) of n, counted from 0. The state holds a count for
    each 2 % step that has values (DDSketch), some hundreds; the answer does not depend on the order
    of rows, nor on parts. `value` (numbers) and `where` as in `count`.

    Args:
        value: As in `count`.
        q: From 0 (the least) to 1 (the greatest); 0.5 is the median.
        where: As in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": n} for n in range(11)]))
    >>> rows.window(rs.tumbling("1d")).agg(p90=rs.quantile("n", 0.9)).collect()["p90"].to_list()
    [9.0]
    """
    if not 0 <= q <= 1:
        text = f"quantile: q is {q}, not from 0 to 1"
        raise wrong(text, "for example 0.95")
    return replace(_aggregate(AggregateKind.QUANTILE, value, where), quantile=float(q))


@checked
def median(value: Any, *, where: Any = None) -> Aggregate:
    """`quantile(value, 0.5)`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(mid=rs.median("n")).collect()["mid"].to_list()
    [3.0]
    """
    return quantile(value, 0.5, where=where)


@checked
def approx_count_distinct(value: Any, *, where: Any = None) -> Aggregate:
    """Number of different values that are not null, with a standard error of 0.8 %.

    The state holds at most 64 KiB for a window and key (HyperLogLog), and less for few values; the
    answer does not depend on the order of rows, nor on parts. `value` and `where` as in `count`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": n % 3} for n in range(11)]))
    >>> found = rows.window(rs.tumbling("1d")).agg(n=rs.approx_count_distinct("n")).collect()
    >>> found["n"].to_list()
    [3]
    """
    return _aggregate(AggregateKind.APPROX_COUNT_DISTINCT, value, where)


def _aggregate(kind: AggregateKind, value: Any, where: Any, *, distinct: bool = False) -> Aggregate:
    if value is None and kind is not AggregateKind.COUNT:
        text = f"{kind} needs a value"
        raise wrong(text, f'write rs.{kind}("column")')
    written = _checked(value, kind), _checked(where, f"{kind}(where=)")
    return Aggregate(kind, *written, distinct=distinct)


def _of_row(kind: AggregateKind, by: Any, value: Any, where: Any) -> Aggregate:
    if by is None:
        text = f"{kind} needs what decides"
        raise wrong(text, f'write rs.{kind}("price", "shop")')
    written = _checked(value, kind), _checked(where, f"{kind}(where=)")
    return Aggregate(kind, *written, by=_checked(by, kind))


def _at_least_one(number: int, what: str) -> int:
    if number < 1:
        text = f"{what} is {number}, not 1 or more"
        raise wrong(text)
    return number


def _checked(value: Any, what: str) -> Any:
    if value is None or callable(value):
        return value
    return expression(value, what)
