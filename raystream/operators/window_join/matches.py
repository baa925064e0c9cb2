"""Matches of two frames by equal columns, in pieces: a few rows may have very many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from raystream.ids import HIDDEN
from raystream.operators.joins.kinds import JoinKind

Pieces = Iterator[tuple[pl.DataFrame | None, pl.DataFrame | None]]
"""Rows side by side; None: without a match."""

_MINE, _THEIRS, _MANY = f"{HIDDEN}mine", f"{HIDDEN}theirs", f"{HIDDEN}many"


class Matches:
    """Rows of both frames that are equal in some columns; null equals nothing.

    Args:
        left: Rows.
        right: Rows.
        by: Columns of both.
        kind: Which rows are asked for.

    >>> left, right = pl.DataFrame({"k": [1, 2]}), pl.DataFrame({"k": [2, 2, None]})
    >>> found = Matches(left, right, ["k"], JoinKind.LEFT).pieces(10)
    >>> [(a.height, None if b is None else b.height) for a, b in found]
    [(2, 2), (1, None)]
    """

    def __init__(
        self, left: pl.DataFrame, right: pl.DataFrame, by: Sequence[str], kind: JoinKind
    ) -> None:
        self._left, self._right, self._by, self._kind = left, right, list(by), kind

    def pieces(self, most: int) -> Pieces:
        """All of them, about `most` rows at once."""
        kind = self._kind
        if kind.pairs:
            yield from self._pairs(most)
        else:
            given = self._left.join(
                self._right, on=self._by, how="semi" if kind is JoinKind.SEMI else "anti"
            )
            for rows in _cut(given, most):
                yield rows, None
        if kind.pairs and kind.unmatched(0):
            for rows in _cut(self._left.join(self._right, on=self._by, how="anti"), most):
                yield rows, None
        if kind.unmatched(1):
            for rows in _cut(self._right.join(self._left, on=self._by, how="anti"), most):
                yield None, rows

    def _pairs(self, most: int) -> Pieces:
        mine = self._left.select(self._by).with_row_index(_MINE)
        theirs = self._right.select(self._by).with_row_index(_THEIRS)
        counts = theirs.group_by(self._by).agg(pl.len().cast(pl.Int64).alias(_MANY))
        asked = mine.join(counts, on=self._by, how="inner")
        first, sums = 0, asked[_MANY].cum_sum()
        while first < asked.height:
            before = sums[first - 1] if first else 0
            end = max(first + 1, int(sums.search_sorted(before + most, side="right")))
            found = asked[first:end].join(theirs, on=self._by, how="inner")
            for part in _cut(found, most):
                yield self._left[part[_MINE]], self._right[part[_THEIRS]]
            first = end


def _cut(rows: pl.DataFrame, most: int) -> Iterator[pl.DataFrame]:
    for first in range(0, rows.height, most):
        yield rows[first : first + most]
