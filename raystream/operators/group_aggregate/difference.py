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
    """The rows of some keys, at most one for each.

    Args:
        frame: The rows.
        valid: Rows that exist for those who read them.
        time: Event time of each.
    """

    frame: pl.DataFrame
    valid: Mask
    time: pl.Series


@dataclass(frozen=True, slots=True)
class Difference:
    """Changes, and what is emitted now.

    Args:
        rows: The changes, key by key, with RowKind and event time.
        times: Event time of the row that is emitted now, one per key; null if none is.
    """

    rows: pl.DataFrame
    times: pl.Series


def difference(
    was: Version, now: Version, who: Rows, keys: Sequence[str], values: Sequence[str]
) -> Difference:
    """The changes from one version to the next.

    Args:
        was: The earlier one.
        now: The later one, a row for each key.
        who: Number of the key of each row of `was`, rising.
        keys: Key columns to emit.
        values: Columns that may change.
    """
    before = np.full(now.frame.height, -1, np.int64)
    before[who[was.valid]] = np.flatnonzero(was.valid)
    existed = before >= 0
    same = _same(was.frame, now.frame, before, existed, values)
    fresh, gone = now.valid & ~same, existed & ~same
    columns = [*keys, *values]
    old = was.frame.select(columns)[before[gone]]
    new = now.frame.select(columns).filter(pl.Series(fresh))
    kinds = (
        np.where(now.valid[gone], RowKind.UPDATE_BEFORE, RowKind.DELETE),
        np.where(existed[fresh], RowKind.UPDATE_AFTER, RowKind.INSERT),
    )
    old_times = was.time.gather(before[gone])
    rows = pl.concat(
        [
            _marked(old, kinds[0], old_times, np.flatnonzero(gone)),
            _marked(new, kinds[1], now.time.filter(pl.Series(fresh)), np.flatnonzero(fresh)),
        ]
    )
    kept = was.time.gather(pl.Series(np.where(same, before, 0))) if len(was.time) else now.time
    times = pl.select(pl.when(pl.Series(same)).then(kept).otherwise(now.time)).to_series()
    return Difference(rows.sort(_AT, maintain_order=True).drop(_AT), times)


def _same(
    was: pl.DataFrame, now: pl.DataFrame, before: Rows, existed: Mask, values: Sequence[str]
) -> Mask:
    """Rows that existed and are the same still."""
    at = np.flatnonzero(existed)
    same = np.zeros(len(existed), np.bool_)
    left, right = was.select(values)[before[at]], now.select(values)[at]
    equal = [left[name].eq_missing(right[name]) for name in values]
    same[at] = pl.select(pl.all_horizontal(equal)).to_series().to_numpy() if len(at) else False
    return same


def _marked(rows: pl.DataFrame, kinds: Rows, times: pl.Series, at: Rows) -> pl.DataFrame:
    return rows.with_columns(
        times.alias(TIME), pl.Series(CHANGE, kinds, pl.Int8()), pl.Series(_AT, at)
    )
