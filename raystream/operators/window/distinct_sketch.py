"""Approximate number of distinct values by HyperLogLog (Flajolet and others 2007).

A value has a register, by the first bits of its hash, which holds the greatest number of zeros seen
behind them. The greatest of two is taken when partials are merged, so the answer depends neither on
the order of rows nor on how they were cut into parts. (The HLL of Apache DataSketches, which was
measured first, is not used: its estimate differs by the order of merges.) The estimate is that of
Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), without tables of
corrections; registers that are still empty are not kept.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from raystream.data.batch import HIDDEN
from raystream.operators.window.numbers import Answer
from raystream.operators.window.quantiles import of_all_groups
from raystream.operators.window.stable_hash import stable_hashes

BITS = 14
"""2^14 registers: a standard error of 0.8 %, at most 64 KiB for a group."""

_REGISTERS = 1 << BITS
_REST = 64 - BITS
_SHIFT = 6
"""Bits for the number of zeros, behind those of the register."""

_GROUP, _CELL = f"{HIDDEN}group", f"{HIDDEN}cell"
_ITEM = pl.UInt32()


class DistinctMeasure:
    """The registers of a group that are not empty are kept as a list."""

    def partial(self, rows: pl.DataFrame, groups: pl.Series, count: int) -> pl.Series:
        """Registers of each group; see RowMeasure."""
        values = rows.to_series()
        known = values.is_not_null()
        hashes = stable_hashes(values.filter(known))
        rest = hashes & np.uint64((1 << _REST) - 1)
        zeros = _REST + 1 - np.frexp(rest.astype(np.float64))[1]  # exact: fewer than 53 bits
        cells = (hashes >> np.uint64(_REST) << np.uint64(_SHIFT)) | zeros.astype(np.uint64)
        each = pl.DataFrame({_GROUP: groups.filter(known), _CELL: cells.astype(np.uint32)})
        return _listed(each, count)

    def merged(self, partials: pl.Series, groups: pl.Series) -> pl.Series:
        """Those of several partials of each group."""
        each = pl.DataFrame({_GROUP: groups, _CELL: partials}).explode(_CELL).drop_nulls()
        return _listed(each, int(groups[-1]) + 1 if len(groups) else 0)

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The estimates, whole numbers."""
        lists = frame.get_column(column)
        numbers = pl.int_range(len(lists), dtype=pl.UInt32, eager=True)
        each = pl.DataFrame({_GROUP: numbers, _CELL: lists}).explode(_CELL).drop_nulls()
        zeros = (pl.col(_CELL) % (1 << _SHIFT)).cast(pl.Float64)
        full = zeros > _REST
        sums = each.group_by(_GROUP).agg(
            pl.lit(2.0).pow(-zeros.filter(~full)).sum().alias("sum"),
            full.sum().alias("full"),
            pl.len().alias("used"),
        )
        every = numbers.alias(_GROUP).to_frame()
        found = every.join(sums, on=_GROUP, how="left", maintain_order="left").fill_null(0)
        values = [_estimate(*row) for row in found.select("sum", "full", "used").iter_rows()]
        return Answer(pl.Series(column, values, dtype=pl.Int64()))


def _listed(cells: pl.DataFrame, count: int) -> pl.Series:
    """A list per group, in the order of registers; of one register the greatest is kept."""
    register = pl.col(_CELL) // (1 << _SHIFT)
    greatest = cells.group_by(_GROUP, register.alias("register")).agg(pl.col(_CELL).max())
    lists = greatest.sort(_GROUP, _CELL).group_by(_GROUP, maintain_order=True).agg(_CELL)
    return of_all_groups(lists, count, _ITEM)


def _estimate(sum_: float, full: int, used: int) -> int:
    """Ertl's estimate (algorithm 6).

    Args:
        sum_: Of 2^-zeros, over the registers that are neither empty nor full.
        full: Registers with the greatest number of zeros.
        used: Registers that are not empty.

    >>> _estimate(0.0, 0, 0), _estimate(0.5, 0, 1)
    (0, 1)
    """
    if not used:
        return 0
    empty = (_REGISTERS - used) / _REGISTERS
    below = sum_ + _REGISTERS * (_sigma(empty) + _tau(1 - full / _REGISTERS) * 2.0**-_REST)
    return round(_REGISTERS * _REGISTERS / (2 * math.log(2) * below))


def _sigma(x: float) -> float:
    """X + the sum of x^(2^k) * 2^(k-1)."""
    found, weight, before = x, 1.0, -1.0
    while found != before:
        x, before = x * x, found
        found += x * weight
        weight *= 2
    return found


def _tau(x: float) -> float:
    """(1 - x - the sum of (1 - x^(2^-k))^2 * 2^-k) / 3."""
    if x in (0.0, 1.0):
        return 0.0
    found, weight, before = 1 - x, 1.0, -1.0
    while found != before:
        x, before, weight = math.sqrt(x), found, weight / 2
        found -= (1 - x) ** 2 * weight
    return found / 3
