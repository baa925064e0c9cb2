"""Which rows and sessions belong together: intervals of a key that touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.ids import HIDDEN
from raystream.operators.session.columns import REACH, SESSION, START
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Mask, Rows, stable_order_small

_ROW, _NUMBER = f"{HIDDEN}row", f"{HIDDEN}number"


@dataclass(frozen=True, slots=True)
class Merged:
    """The sessions of the keys of a batch, numbered.

    Args:
        session_of_rows: Of each row of the batch.
        kept: Sessions of the state, with SESSION: the one that each is part of now.
        start: First event time, of each session.
        reach: How far it reaches.
        has_rows: Whether a row of the batch is in it.
        keys: Key columns of each session.
    """

    session_of_rows: Rows
    kept: pl.DataFrame
    start: Rows
    reach: Rows
    has_rows: Mask
    keys: pl.DataFrame

    def bounds(self) -> pl.DataFrame:
        """Key, start and reach of each session."""
        return self.keys.with_columns(pl.Series(START, self.start), pl.Series(REACH, self.reach))

    def is_waited_for(self, watermark: int) -> Mask:
        """Sessions with a part whose timer is still to come, not later than their own would."""
        found = np.zeros(len(self.start), np.bool_)
        open_ = self.kept.filter(pl.col(REACH) >= watermark)
        found[open_[SESSION].to_numpy()] = True
        return found


def merged(rows: pl.DataFrame, by: Sequence[str], table: KeyedTable) -> Merged:
    """Put rows (TIME, REACH) together with each other, and with the sessions of their keys."""
    groups = rows.select(by).with_row_index(_ROW).group_by(by).agg(_ROW)
    number = np.empty(rows.height, np.int64)
    sizes = groups[_ROW].list.len().to_numpy()
    number[groups[_ROW].explode().to_numpy()] = np.repeat(np.arange(groups.height), sizes)
    keys = groups.select(by)
    who, kept = table.find(keys)
    whose = np.concatenate([number, who])
    start = np.concatenate([rows[TIME].to_numpy(), kept[START].to_numpy()])
    reach = np.concatenate([rows[REACH].to_numpy(), kept[REACH].to_numpy()])
    by_start = np.argsort(start, kind="stable")
    order = by_start[stable_order_small(whose[by_start])]
    whose, start, reach = whose[order], start[order], reach[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (whose[1:] != whose[:-1]) | (start[1:] > _farthest(whose, reach)[:-1])
    at = np.flatnonzero(begins)
    session = np.empty(len(order), np.int64)
    session[order] = np.cumsum(begins) - 1
    of_rows = session[: rows.height]
    has_rows = np.zeros(len(at), np.bool_)
    has_rows[of_rows] = True
    return Merged(
        of_rows,
        kept.with_columns(pl.Series(SESSION, session[rows.height :], dtype=pl.Int64)),
        start[at],
        np.maximum.reduceat(reach, at),
        has_rows,
        keys[whose[at]],
    )


def _farthest(whose: Rows, reach: Rows) -> Rows:
    """i64[n]: the greatest reach of a key up to each of its rows, which are in order.

    >>> _farthest(np.array([0, 0, 0, 1]), np.array([5, 9, 7, 2])).tolist()
    [5, 9, 9, 2]
    """
    low, high = int(reach.min()), int(reach.max())
    span = high - low + 1
    if (int(whose[-1]) + 1) * span < 2**63:
        packed = whose * span + (reach - low)
        found: Rows = np.maximum.accumulate(packed) - whose * span + low
        return found
    frame = pl.DataFrame({_NUMBER: whose, REACH: reach})
    greatest: Rows = frame.select(pl.col(REACH).cum_max().over(_NUMBER)).to_series().to_numpy()
    return greatest
