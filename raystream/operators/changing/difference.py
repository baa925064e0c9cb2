"""What changed between the rows of some keys as they were emitted and as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.data.frames import gathered, narrowed, replaced
from raystream.state.keys import Mask, Rows, stable_order_small


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
    same[same] = _equal(was.frame, before[same], now.frame, after[same], values)
    gone, fresh = np.flatnonzero(existed & ~same), np.flatnonzero(exists & ~same)
    order = stable_order_small(np.concatenate([gone, fresh]))
    kinds = np.concatenate(
        [
            np.where(exists[gone], RowKind.UPDATE_BEFORE, RowKind.DELETE),
            np.where(existed[fresh], RowKind.UPDATE_AFTER, RowKind.INSERT),
        ]
    )[order].astype(np.int8)
    both = pl.concat([narrowed(each.frame, [*keys, *values]) for each in (was, now)], rechunk=True)
    rows = np.concatenate([before[gone], after[fresh] + was.frame.height])[order]
    moments = pl.concat([was.time.alias(TIME), now.time.alias(TIME)]).gather(rows)
    times = now.time
    if same.any():
        times = times.scatter(after[same], was.time.gather(before[same]))
    return Difference(replaced(gathered(both, rows), [moments, pl.Series(CHANGE, kinds)]), times)


def _equal(
    was: pl.DataFrame, before: Rows, now: pl.DataFrame, after: Rows, values: Sequence[str]
) -> Mask:
    if not len(before):
        return np.zeros(0, np.bool_)
    left, right = gathered(narrowed(was, values), before), gathered(narrowed(now, values), after)
    found = np.ones(len(before), np.bool_)
    for one, other in zip(left.get_columns(), right.get_columns(), strict=True):
        nulls = one.null_count() + other.null_count()
        plain = not nulls and not one.dtype.is_nested() and one.dtype != pl.Object
        found &= (one == other if plain else one.eq_missing(other)).to_numpy()
    return found
