"""What changed between the rows of some keys as they were emitted and as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.ids import HIDDEN
from raystream.state.keys import Mask, Rows

_AT = f"{HIDDEN}at"


@dataclass(frozen=True, slots=True)
class Version:
    """The rows of some of the keys of a batch, at most one for each.

    Args:
        frame: The rows.
        who: Number of the key of each row, rising.
        valid: Rows that exist for those who read them.
        time: Event time of each.
    """

    frame: pl.DataFrame
    who: Rows
    valid: Mask
    time: pl.Series

    def places(self, number: int) -> Rows:
        """Row of each of `number` keys; -1: it has none."""
        found = np.full(number, -1, np.int64)
        found[self.who[self.valid]] = np.flatnonzero(self.valid)
        return found


@dataclass(frozen=True, slots=True)
class Difference:
    """Changes, and what is emitted now.

    Args:
        rows: The changes, key by key, with RowKind and event time.
        times: Event time of the row that was emitted last for each row of the later version.
    """

    rows: pl.DataFrame
    times: pl.Series


def difference(
    was: Version, now: Version, number: int, keys: Sequence[str], values: Sequence[str]
) -> Difference:
    """The changes from one version to the next.

    Args:
        was: The earlier one.
        now: The later one.
        number: How many keys there are.
        keys: Key columns to emit.
        values: Columns that may change.
    """
    before, after = was.places(number), now.places(number)
    existed, exists = before >= 0, after >= 0
    same = existed & exists
    left, right = was.frame[before[same]], now.frame[after[same]]
    same[same] = _equal(left, right, values)
    gone, fresh = existed & ~same, exists & ~same
    columns = [*keys, *values]
    old = was.frame.select(columns)[before[gone]]
    new = now.frame.select(columns)[after[fresh]]
    kinds = (
        np.where(exists[gone], RowKind.UPDATE_BEFORE, RowKind.DELETE),
        np.where(existed[fresh], RowKind.UPDATE_AFTER, RowKind.INSERT),
    )
    rows = [
        _marked(old, kinds[0], was.time.gather(before[gone]), np.flatnonzero(gone)),
        _marked(new, kinds[1], now.time.gather(after[fresh]), np.flatnonzero(fresh)),
    ]
    times = now.time
    if same.any():
        times = times.scatter(after[same], was.time.gather(before[same]))
    return Difference(pl.concat(rows).sort(_AT, maintain_order=True).drop(_AT), times)


def _equal(left: pl.DataFrame, right: pl.DataFrame, values: Sequence[str]) -> Mask:
    if not left.height:
        return np.zeros(0, np.bool_)
    equal = [left[name].eq_missing(right[name]) for name in values]
    found: Mask = pl.select(pl.all_horizontal(equal)).to_series().to_numpy()
    return found


def _marked(rows: pl.DataFrame, kinds: Rows, times: pl.Series, at: Rows) -> pl.DataFrame:
    return rows.with_columns(
        times.alias(TIME), pl.Series(CHANGE, kinds, pl.Int8()), pl.Series(_AT, at, pl.Int64())
    )
