"""Fold: merge the partials of a group into one, by array operations where possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from raystream.ids import HIDDEN
from raystream.state.grouping import Places, chunks
from raystream.state.keys import Mask, Rows

Merge = Callable[[pl.Series, pl.Series], pl.Series]
"""`merge(partials, groups)`: one for each group; `groups` are their numbers from 0, rising."""

Way = Literal["sum", "min", "max"] | pl.Expr | Merge

Numbers = np.ndarray[Any, Any]

_UFUNC: Mapping[str, Any] = {"sum": np.add, "min": np.minimum, "max": np.maximum}
_GROUP = f"{HIDDEN}group"


@dataclass(frozen=True, slots=True)
class Choice:
    """Columns whose values come from one row of a group: the first or last in some order.

    Args:
        columns: Names; without null in the first of `by` they are those of a known row.
        by: Order of the rows; a row without the first of these is chosen only if all are without.
        first: The first row, else the last.
        stable: Rows that are equal in `by` are in their order.
        descending: The first of `by` falls instead.
    """

    columns: Sequence[str]
    by: Sequence[pl.Expr]
    first: bool
    stable: bool = False
    descending: bool = False

    def order(self, frame: pl.DataFrame) -> Rows:
        """i64[n]: the rows, rising."""
        nulls_last = [self.first, *[False] * (len(self.by) - 1)]
        order = pl.arg_sort_by(
            self.by,
            descending=[self.descending, *[False] * (len(self.by) - 1)],
            nulls_last=nulls_last,
            maintain_order=self.stable,
        )
        found: Rows = frame.select(order.alias(_GROUP)).to_series().cast(pl.Int64).to_numpy()
        return found

    def rows(self, frame: pl.DataFrame, order: Rows, begins: Mask) -> Rows:
        """i64[groups]: the chosen row of each group; arguments as of a fold."""
        starts = np.flatnonzero(begins)
        chosen = order[starts]
        alone = begins & np.append(begins[1:], np.True_)
        many = order[~alone]
        if len(many):
            inputs = sorted({root for one in self.by for root in one.meta.root_names()})
            by = self.order(frame.select(inputs)[many])
            ranks = np.empty(len(many), np.int64)
            ranks[by] = np.arange(len(many))
            ufunc = np.minimum if self.first else np.maximum
            best = ufunc.reduceat(ranks, np.flatnonzero(begins[~alone]))
            chosen[~alone[starts]] = many[by[best]]
        return chosen


class Fold:
    """How the partials of a group are merged; a single partial is unchanged.

    Numbers without nulls go through `reduceat` of numpy (35 ns a row instead of 276 for a
    group_by), everything else through a group_by of the groups with several rows.

    Args:
        ways: Partial column -> way. "sum" is for columns whose sums cannot overflow their type,
            such as counts; others need an expression over a wider type. An expression is over the
            rows of a group; for a single row it must return that row. A function merges all groups
            at once.
        choices: Columns that are of one row together.

    >>> rows = pl.DataFrame({"n": [1, 2, 5]})
    >>> fold, order = Fold({"n": "sum"}), np.arange(3)
    >>> fold(rows, order, np.array([True, False, True]))["n"].to_list()
    [3, 5]
    """

    def __init__(self, ways: Mapping[str, Way], choices: Sequence[Choice] = ()) -> None:
        self._ways = dict(ways)
        self._choices = tuple(choices)

    @property
    def columns(self) -> list[str]:
        """Names of the partial columns."""
        return [*self._ways, *(name for choice in self._choices for name in choice.columns)]

    def numbers(self, frame: pl.DataFrame) -> dict[str, Numbers] | None:
        """The partial columns for `scattered`; None: not all are integers without nulls.

        Floats are not: their sum would differ by the order of the rows.
        """
        found: dict[str, Numbers] = {}
        if self._choices:
            return None
        for name, way in self._ways.items():
            column = frame.get_column(name)
            if not isinstance(way, str) or column.dtype.is_float():
                return None
            numbers = _numbers(way, column)
            if numbers is None:
                return None
            found[name] = numbers
        return found

    def scattered(
        self, frame: pl.DataFrame, numbers: Mapping[str, Numbers], first: Places, firsts: Rows
    ) -> pl.DataFrame:
        """Partial columns, a row per group.

        Args:
            frame: Partials.
            numbers: Of `frame`.
            first: First row of the group of each row.
            firsts: First row of each group, in the order of the result.
        """
        group = np.empty(frame.height, np.int64)
        group[firsts] = np.arange(len(firsts))
        folded = {name: self._begun(name, values, firsts) for name, values in numbers.items()}
        for part in chunks(frame.height):
            where = group.take(first[part])
            for name, values in numbers.items():
                _UFUNC[str(self._ways[name])].at(folded[name], where, values[part])
        types = frame.schema
        return pl.DataFrame([pl.Series(name, folded[name]).cast(types[name]) for name in folded])

    def _begun(self, name: str, values: Numbers, firsts: Rows) -> Numbers:
        """Where the values of a column are added up, or compared."""
        found: Numbers = values[firsts]
        return np.zeros_like(found) if self._ways[name] == "sum" else found

    def __call__(self, frame: pl.DataFrame, order: Rows, begins: Mask) -> pl.DataFrame:
        """Partial columns, a row per group.

        Args:
            frame: Partials.
            order: Rows of `frame`, group by group.
            begins: begins[i]: order[i] is the first row of a group.
        """
        starts, types = np.flatnonzero(begins), frame.schema
        columns: dict[str, pl.Series] = {}
        for name, way in self._ways.items():
            numbers = _numbers(way, frame[name]) if isinstance(way, str) else None
            if numbers is not None:
                with np.errstate(all="ignore"):  # as Polars: inf - inf is NaN
                    folded = _UFUNC[str(way)].reduceat(numbers[order], starts)
                made = pl.Series(name, folded)
                columns[name] = made if made.dtype == types[name] else made.cast(types[name])
        others = {n: w for n, w in self._ways.items() if n not in columns}
        if others:
            columns |= _grouped(frame, order, begins, others)
        for choice in self._choices:
            chosen = choice.rows(frame, order, begins)
            columns |= frame.select(choice.columns)[chosen].to_dict()
        return pl.DataFrame([columns[name].alias(name) for name in self.columns])


def _numbers(way: str, column: pl.Series) -> Numbers | None:
    """The column as numpy has it; None: Polars must fold it.

    NaN of `np.minimum` differs from that of Polars, and numpy has no 128-bit integers: these go
    as 64 bits where no sum of theirs needs more.
    """
    kind = column.dtype
    if column.null_count() or not (kind.is_integer() or (kind.is_float() and way == "sum")):
        return None
    if kind not in (pl.Int128, pl.UInt128):
        return column.to_numpy()
    low, high = column.min(), column.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    fits = max(-low, high) * (len(column) if way == "sum" else 1) < 2**63
    return column.cast(pl.Int64).to_numpy() if fits else None


def _expression(name: str, way: Way) -> pl.Expr:
    if isinstance(way, str):
        column = pl.col(name)
        return {"sum": column.sum(), "min": column.min(), "max": column.max()}[way]
    assert isinstance(way, pl.Expr)
    return way


def _grouped(
    frame: pl.DataFrame, order: Rows, begins: Mask, ways: Mapping[str, Way]
) -> dict[str, pl.Series]:
    """Merge by group_by; groups of a single row are unchanged."""
    alone = begins.copy()
    alone[:-1] &= begins[1:]
    many = np.flatnonzero(~alone)
    merges = {n: w for n, w in ways.items() if not isinstance(w, str | pl.Expr)}
    by_column = {n: _expression(n, w) for n, w in ways.items() if n not in merges}
    inputs = {root for way in by_column.values() for root in way.meta.root_names()}
    # A plain group number: a group_by of a column flagged as sorted is slower for small groups.
    groups = pl.Series(_GROUP, np.cumsum(begins[many]).astype(np.uint32))
    rows = frame.select(sorted({*inputs, *merges}))[order[many]].with_columns(groups)
    folded = rows.group_by(_GROUP, maintain_order=True).agg(
        way.alias(name) for name, way in by_column.items()
    )
    folded = folded.with_columns(
        merge(rows[name], groups - 1).alias(name) for name, merge in merges.items()
    )
    single = frame.select(list(ways))[order[alone]]
    types = [pl.col(name).cast(kind) for name, kind in single.schema.items()]
    both = pl.concat([single, folded.select(types)], rechunk=True)
    is_alone = alone[begins]
    behind = single.height + np.cumsum(~is_alone) - 1
    return both[np.where(is_alone, np.cumsum(is_alone) - 1, behind)].to_dict()
