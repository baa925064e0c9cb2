"""Quantiles by DDSketch (Masson, Rim, Lee, VLDB 2019): counts of buckets whose bounds are fixed.

A bucket holds the values from g^(i-1) to g^i, each of which is within ACCURACY of its middle.
Counts of buckets are added when partials are merged: unlike with other sketches the answer depends
neither on the order of rows nor on how they were cut into parts. A bucket keeps its least and
greatest value, too: a bucket with one value gives just this value.
"""

from __future__ import annotations

import math

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.operators.window.numbers import Answer

ACCURACY = 0.01
"""Greatest relative distance of an answer from the exact one."""

_BASE = (1 + ACCURACY) / (1 - ACCURACY)
_ZERO = 40_000
"""More than the number of buckets between 1 and the least, or greatest, float."""

_INFINITY, _NAN = 100_000, 100_001
_GROUP, _VALUE = f"{HIDDEN}group", f"{HIDDEN}value"
_BUCKET = pl.Struct(
    {"bucket": pl.Int32(), "count": pl.Int64(), "low": pl.Float64(), "high": pl.Float64()}
)


class QuantileMeasure:
    """The buckets of a group are kept as a list.

    Args:
        quantile: From 0 (the least value) to 1 (the greatest).
    """

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile

    def partial(self, rows: pl.DataFrame, groups: pl.Series, count: int) -> pl.Series:
        """Buckets of each group; see RowMeasure."""
        value = pl.col(_VALUE)
        positive = pl.when(value == 0).then(0.0).otherwise(value)  # not -0.0
        values = {_GROUP: groups, _VALUE: rows.to_series().cast(pl.Float64)}
        each = pl.DataFrame(values).drop_nulls().with_columns(positive.alias(_VALUE))
        found = each.select(
            _GROUP,
            _bucket(value).alias("bucket"),
            pl.lit(1, pl.Int64()).alias("count"),
            value.alias("low"),
            value.alias("high"),
        )
        return _listed(found, count)

    def merged(self, partials: pl.Series, groups: pl.Series) -> pl.Series:
        """Those of several partials of each group."""
        each = pl.DataFrame({_GROUP: groups, _VALUE: partials}).explode(_VALUE).drop_nulls()
        count = int(groups[-1]) + 1 if len(groups) else 0
        return _listed(each.unnest(_VALUE), count)

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The value at place floor(quantile * (n - 1)) of n; null if there are none."""
        lists = frame.get_column(column)
        numbers = pl.int_range(len(lists), dtype=pl.UInt32, eager=True)
        each = pl.DataFrame({_GROUP: numbers, _VALUE: lists}).explode(_VALUE).drop_nulls()
        before = pl.col("count").cum_sum().over(_GROUP)
        place = (self._quantile * (pl.col("count").sum().over(_GROUP) - 1)).floor()
        reached = each.unnest(_VALUE).filter(before > place)
        first = reached.group_by(_GROUP, maintain_order=True).first()
        middle = _middle(pl.col("bucket"))
        inside = middle.clip(pl.col("low"), pl.col("high"))
        given = pl.when(pl.col("low") == pl.col("high")).then("low").otherwise(inside)
        found = numbers.alias(_GROUP).to_frame().join(
            first.select(_GROUP, given.alias(_VALUE)),
            on=_GROUP, how="left", maintain_order="left",
        )  # fmt: skip
        return Answer(found.get_column(_VALUE))


def _bucket(value: pl.Expr) -> pl.Expr:
    """Rises with the value; NaN is the greatest."""
    above = (value.abs().log() / math.log(_BASE)).ceil() + _ZERO
    finite = above * value.sign()
    infinite = _INFINITY * value.sign()
    number = pl.when(value.is_infinite()).then(infinite).otherwise(finite)
    whole = pl.when(value == 0).then(0.0).otherwise(number)
    return pl.when(value.is_nan()).then(float(_NAN)).otherwise(whole).cast(pl.Int32)


def _middle(bucket: pl.Expr) -> pl.Expr:
    """The value that is within ACCURACY of all values of a bucket."""
    power = bucket.abs().cast(pl.Float64) - _ZERO
    return (2 / (_BASE + 1)) * pl.lit(_BASE).pow(power) * bucket.sign()


def _listed(buckets: pl.DataFrame, count: int) -> pl.Series:
    """A list per group, in the order of buckets; equal buckets are added."""
    one = buckets.group_by(_GROUP, "bucket").agg(
        pl.col("count").sum(), pl.col("low").min(), pl.col("high").max()
    )
    fields = pl.struct(pl.col(name) for name in ("bucket", "count", "low", "high"))
    lists = one.sort(_GROUP, "bucket").group_by(_GROUP, maintain_order=True)
    return of_all_groups(lists.agg(fields.alias(_VALUE)), count, _BUCKET)


def of_all_groups(lists: pl.DataFrame, count: int, item: pl.DataType) -> pl.Series:
    """A list per group; empty for those that have none.

    Args:
        lists: Number of the group, and its list.
        count: How many groups there are.
        item: Type of the items.
    """
    group, value = lists.columns
    every = pl.int_range(count, dtype=pl.UInt32, eager=True).alias(group).to_frame()
    found = every.join(lists, on=group, how="left", maintain_order="left")[value]
    return found.cast(pl.List(item)).fill_null(pl.Series([[]], dtype=pl.List(item)))
