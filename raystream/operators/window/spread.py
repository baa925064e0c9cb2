"""Variance: number, mean and sum of squared distances, merged without cancellation.

Chan, Golub, LeVeque (1983): the distances of a part are those from its own mean, plus the distance
of that mean from the mean of all.
"""

from __future__ import annotations

import polars as pl

from raystream.operators.window.numbers import Answer
from raystream.state.fold import Way


def spread(column: str, squares: str, mean: str, number: str) -> list[pl.Expr]:
    """Partial columns over the rows of a group.

    Args:
        column: The values.
        squares: Name of the sum of squared distances from the mean.
        mean: Name of the mean.
        number: Name of the number of values.
    """
    value = pl.col(column).cast(pl.Float64)
    count = value.count().cast(pl.Int64)
    return [
        (value.var(ddof=0) * count).fill_null(0.0).alias(squares),
        value.mean().fill_null(0.0).alias(mean),
        count.alias(number),
    ]


def spread_ways(squares: str, mean: str, number: str) -> dict[str, Way]:
    """How they are merged."""
    count, means = pl.col(number), pl.col(mean)
    total = count.sum()
    whole = pl.when(total > 0).then((means * count).sum() / total).otherwise(0.0)
    between = (count * (means - whole) ** 2).sum()
    return {number: "sum", mean: whole, squares: pl.col(squares).sum() + between}


def variance_of(frame: pl.DataFrame, squares: str, number: str) -> Answer:
    """Sample variances of merged partials; null for fewer than two values."""
    several = pl.when(pl.col(number) > 1)
    found = several.then(pl.col(squares) / (pl.col(number) - 1)).alias("variance")
    return Answer(frame.select(found).to_series())
