"""What a join gives of one piece of its input: additions and retractions, in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.changes import CHANGE, RowKind
from raystream.operators.changing.groups import numbers
from raystream.operators.joins.rows import NOBODY, Halves, JoinedRows, side_by_side
from raystream.state.keys import Rows


@dataclass(frozen=True, slots=True)
class Given:
    """Rows to give, by the numbers of their halves.

    Args:
        left: Number of the left row, or NOBODY.
        right: That of the right row.
        sign: 1: it is added, -1: it is taken back.
    """

    left: Rows
    right: Rows
    sign: Rows

    @classmethod
    def together(cls, parts: Sequence[Given]) -> Given:
        """All of them."""
        halves = zip(*((part.left, part.right, part.sign) for part in parts), strict=True)
        return cls(*(np.concatenate(half).astype(np.int64) for half in halves))

    def kinds(self, same: Rows | None) -> tuple[Given, Rows]:
        """In the order in which they are given, with the RowKind of each.

        Args:
            same: Number of what identifies each row; None: nothing does. A row that is taken back
                and one that is added are an update if it is equal.
        """
        if same is None or (self.sign == self.sign[:1]).all():
            order = np.argsort(self.sign, kind="stable")
            return self._at(order), np.where(self.sign[order] > 0, RowKind.INSERT, RowKind.DELETE)
        order = np.lexsort((_rank(same, self.sign), same))
        found, same = self._at(order), same[order]
        rank = _rank(same, found.sign)
        order = np.lexsort((found.sign, rank, same))
        found, same, rank = found._at(order), same[order], rank[order]
        first = np.zeros(len(order), np.bool_)
        both = (same[1:] == same[:-1]) & (rank[1:] == rank[:-1]) & (found.sign[:-1] < 0)
        first[:-1] = both & (found.sign[1:] > 0)
        second = np.roll(first, 1)
        kinds = np.where(found.sign > 0, RowKind.INSERT, RowKind.DELETE)
        kinds[first], kinds[second] = RowKind.UPDATE_BEFORE, RowKind.UPDATE_AFTER
        return found, kinds

    def _at(self, order: Rows) -> Given:
        return Given(self.left[order], self.right[order], self.sign[order])


def _rank(same: Rows, sign: Rows) -> Rows:
    """How many rows of equal number and sign are in front of each."""
    code = same * 2 + (sign > 0)
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return found


def identities(given: Given, halves: Halves, by: Sequence[Sequence[str] | None]) -> Rows:
    """Number of what identifies each row.

    Args:
        given: The rows.
        halves: Left and right rows.
        by: The columns of the left and of the right row that do; None: that half does not count.
    """
    found = np.zeros(len(given.sign), np.int64)
    for at, rows, names in zip((given.left, given.right), halves, by, strict=True):
        if names is not None:
            number = numbers(rows, names) if names else np.zeros(rows.height, np.int64)
            mine = np.append(number, NOBODY)[at] + 1  # the last is that of nobody
            found = found * (int(number.max(initial=0)) + 2) + mine
    return found


def frames(
    given: Given,
    kinds: Rows,
    halves: Halves,
    rows: JoinedRows,
    most: int,
) -> Iterator[pl.DataFrame]:
    """The rows themselves, at most so many at once."""
    for first in range(0, len(kinds), most):
        piece = slice(first, first + most)
        frame = side_by_side(given.left[piece], given.right[piece], halves, rows)
        yield frame.with_columns(pl.Series(CHANGE, kinds[piece], pl.Int8()))
