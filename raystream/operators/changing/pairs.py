"""Pairs of an update through a step that may drop, or separate, their halves."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from raystream.data.changes import CHANGE, RowKind
from raystream.ids import HIDDEN

_PAIR = f"{HIDDEN}pair"


def paired(frame: pl.DataFrame) -> pl.DataFrame:
    """Number the pairs of updates; rows that are no changes are returned as they are.

    An update that a batch boundary cuts in two is no pair: its halves stay as they are.
    """
    if CHANGE not in frame.columns:
        return frame
    before = pl.col(CHANGE) == RowKind.UPDATE_BEFORE.value
    after = pl.col(CHANGE) == RowKind.UPDATE_AFTER.value
    first = before & after.shift(-1).fill_null(value=False)
    both = first | first.shift(1).fill_null(value=False)
    return frame.with_columns(pl.when(both).then(first.cum_sum()).alias(_PAIR))


def settled(frame: pl.DataFrame, keys: Sequence[str] = ()) -> pl.DataFrame:
    """Make halves that lost the other one a delete or an insert.

    Args:
        frame: Rows that `paired` has numbered, less those that were dropped.
        keys: Halves that differ in these columns are separated, too: they may go to different
            subtasks.

    >>> rows = pl.DataFrame({CHANGE: [1, 2, 1, 2], "n": [1, 2, 2, 3]})
    >>> settled(paired(rows).filter(pl.col("n") != 2)).rows()
    [(3, 1), (0, 3)]
    """
    if _PAIR not in frame.columns:
        return frame
    joined = pl.all_horizontal(pl.col(n).eq_missing(pl.col(n).shift(1)) for n in (_PAIR, *keys))
    second = (joined & pl.col(_PAIR).is_not_null()).fill_null(value=False)
    alone = pl.col(_PAIR).is_not_null() & ~second & ~second.shift(-1).fill_null(value=False)
    gone = pl.col(CHANGE) == RowKind.UPDATE_BEFORE.value
    kind = pl.when(gone).then(RowKind.DELETE.value).otherwise(RowKind.INSERT.value)
    settled_kind = pl.when(alone).then(kind.cast(pl.Int8())).otherwise(pl.col(CHANGE))
    return frame.with_columns(settled_kind.alias(CHANGE)).drop(_PAIR)
