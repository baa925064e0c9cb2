"""Exact sums and means: 128-bit partials for integers, two columns for decimals.

A sum of 64-bit integers is kept as Int128: 2^64 rows of the greatest value fit. Decimals, and
128-bit integers, are kept as `high * 10^19 + low` with both parts summed separately; neither part
can overflow. Only the output must fit its type, and a row where it does not has a reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

WHOLE = pl.Int64()
"""Type of a sum of integers."""

MEAN_SCALE = 6
"""Minimum number of decimal places of a mean of decimals."""

_BASE = 10**19
_EXACT = 2**53
_WIDE = (pl.Int128(), pl.UInt128())


@dataclass(frozen=True, slots=True)
class Answer:
    """Results of an aggregate.

    Args:
        values: One for each group.
        wrong: True where the result does not fit its type; None: all fit.
        cut: True where values are left out of a list; None: none are.
        reasons: Why a result is wrong, null if it is not; None: all are right.
    """

    values: pl.Series
    wrong: pl.Series | None = None
    cut: pl.Series | None = None
    reasons: pl.Series | None = None


def summed(rows: pl.DataFrame, column: str, main: str, high: str) -> list[pl.Expr]:
    """Partial columns `main` (and `high`, of wide numbers) over the rows of a group.

    Args:
        rows: All rows that will be grouped.
        column: The values.
        main: Name of the partial column.
        high: Name of the second one.
    """
    value, dtype = pl.col(column), rows.schema[column]
    if dtype.is_float():
        return [value.cast(pl.Float64).sum().alias(main)]
    if isinstance(dtype, pl.Decimal):
        whole, base = value.to_physical().cast(pl.Int128), pl.lit(_BASE, pl.Int128)
        low = (whole % base).reinterpret(dtype=pl.Decimal(38, dtype.scale))
        return [low.sum().alias(main), (whole // base).sum().alias(high)]
    if dtype in _WIDE:
        base = pl.lit(_BASE, dtype)
        low, rest = (value % base).cast(pl.Int128), (value // base).cast(pl.Int128)
        return [low.sum().alias(main), rest.sum().alias(high)]
    if _fits_64_bits(rows, column):  # a tenth of the time of the whole grouping
        return [value.cast(pl.Int64).sum().cast(pl.Int128).alias(main)]
    return [value.cast(pl.Int128).sum().alias(main)]


def _fits_64_bits(rows: pl.DataFrame, column: str) -> bool:
    """Whether no sum of any of these values can exceed 64 bits."""
    values = rows.get_column(column)
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int):  # all null
        return True
    return max(-low, high) * values.len() < 2**63


def sum_of(frame: pl.DataFrame, main: str, high: str) -> Answer:
    """The sums of merged partials."""
    dtype = frame.schema[main]
    if dtype.is_float():
        return Answer(frame.get_column(main))
    total = _total(frame, main, high)
    if isinstance(dtype, pl.Decimal):
        return _as_decimal(total, dtype.scale)
    found = total.cast(WHOLE, strict=False)
    return Answer(found, found.is_null())


def mean_of(frame: pl.DataFrame, main: str, high: str, number: str) -> Answer:
    """The means of merged partials; null if nothing was counted."""
    dtype = frame.schema[main]
    if dtype.is_float():
        mean = pl.when(pl.col(number) > 0).then(pl.col(main) / pl.col(number))
        return Answer(frame.select(mean.alias("mean")).to_series())
    total, counts = _total(frame, main, high), frame.get_column(number)
    if isinstance(dtype, pl.Decimal):
        scale = max(dtype.scale, MEAN_SCALE)
        return _decimal_mean(total, counts, dtype.scale, scale)
    return Answer(_float_mean(total, counts), total.is_null())


def _total(frame: pl.DataFrame, main: str, high: str) -> pl.Series:
    """Int128 of both parts; null if it has more than 38 digits."""
    low = frame.get_column(main)
    if isinstance(low.dtype, pl.Decimal):
        low = low.to_physical().cast(pl.Int128)
    if high not in frame.columns:
        return low
    whole = pl.col("high") + pl.col("low") // _BASE
    total = whole * _BASE + pl.col("low") % _BASE
    fits = whole.is_between(-_BASE, _BASE - 1)
    parts = pl.DataFrame({"low": low, "high": frame.get_column(high)})
    return parts.select(pl.when(fits).then(total).alias("total")).to_series()


def _as_decimal(digits: pl.Series, scale: int) -> Answer:
    """Int128 of a decimal's digits as the decimal."""
    too_long = digits.is_null() | (digits <= -(_BASE**2)) | (digits >= _BASE**2)
    found = digits.set(too_long, None).reinterpret(dtype=pl.Decimal(38, scale))
    return Answer(found, too_long)


def _float_mean(totals: pl.Series, counts: pl.Series) -> pl.Series:
    """The nearest float of the exact quotient: if both are exact floats, their quotient."""
    frame = pl.DataFrame([totals.alias("total"), counts.alias("count")])
    total, count = pl.col("total"), pl.col("count")
    quotient = pl.when(count > 0).then(total.cast(pl.Float64) / count).alias("mean")
    found = frame.select(quotient, large=(total > _EXACT) | (total < -_EXACT))
    means, large = found.get_column("mean"), found.get_column("large").arg_true()
    exact = [a / b for a, b in zip(totals[large], counts[large], strict=True)]
    return means.scatter(large, exact) if exact else means


def _decimal_mean(totals: pl.Series, counts: pl.Series, scale: int, wanted: int) -> Answer:
    """The quotient, rounded half away from zero to `wanted` decimal places."""
    more = 10 ** (wanted - scale)
    frame = pl.DataFrame({"total": totals, "count": counts.cast(pl.Int128)})
    total, count = pl.col("total"), pl.col("count")
    half_up = (total.abs() * (2 * more) + count) // (count * 2)
    signed = half_up * pl.when(total < 0).then(-1).otherwise(1)
    small = total.abs() < 10**37 // (2 * more)
    columns = frame.select(pl.when(small & (count > 0)).then(signed).alias("mean"), large=~small)
    digits, large = columns["mean"], columns["large"].arg_true()
    pairs = zip(totals[large], counts[large], strict=True)
    exact = [_fitting(_rounded(total * more, count)) for total, count in pairs]
    answer = _as_decimal(digits.scatter(large, exact) if exact else digits, wanted)
    assert answer.wrong is not None
    return Answer(answer.values, answer.wrong & (counts > 0))


def _fitting(digits: int) -> int | None:
    return digits if abs(digits) < _BASE**2 else None


def _rounded(total: int, count: int) -> int:
    """Nearest whole number of total / count, halves away from zero.

    >>> [_rounded(total, 2) for total in (3, -3, 4)]
    [2, -2, 2]
    """
    half_up = (2 * abs(total) + count) // (2 * count)
    return half_up if total >= 0 else -half_up
