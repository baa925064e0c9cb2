"""Timers of keys: one per key and time; registered, deleted, fired once when they are due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from raystream.state.keys import Hashes, Mask, Rows, continues, key_ids, same_keys
from raystream.state.run import DEFAULT, GONE, HASH, Run, RunPolicy
from raystream.state.sorted_runs import SortedRuns, merge_order

_LATEST = 2**62


class Timers(SortedRuns):
    """Timers in slots of time; due timers are in the first slots.

    Args:
        keys: Names of the key columns; a name of the timer may be one of them.
        schema: All columns with their types: keys and `time`.
        time: Int64 column without nulls.
        width: Of a slot, in units of time.
        prefix: Start of new segment ids.
        policy: When runs are merged.

    >>> timers = Timers(["k"], {"k": pl.String(), "at": pl.Int64()}, time="at", prefix="0")
    >>> timers.register(pl.DataFrame({"k": ["b", "a", "a"], "at": [9, 5, 5]}))
    >>> timers.due(7).rows(), timers.due(9).rows(), timers.due(99).rows()
    ([('a', 5)], [('b', 9)], [])
    """

    def __init__(
        self,
        keys: Sequence[str],
        schema: Mapping[str, pl.DataType],
        *,
        time: str,
        width: int = 60_000,
        prefix: str,
        policy: RunPolicy = DEFAULT,
    ) -> None:
        super().__init__([*keys, time], schema, prefix, policy)
        self._time, self._width = time, width

    def register(self, rows: pl.DataFrame) -> None:
        """Add keys and times; a time that has already fired is ignored."""
        self._put(rows, gone=False)

    def delete(self, rows: pl.DataFrame) -> None:
        """Remove keys and times."""
        if self.runs:
            self._put(rows, gone=True)

    def due(self, until: int) -> pl.DataFrame:
        """Remove and return timers up to this time, by time."""
        parts = [part for run in self.runs if (part := self._due_of(run, until)) is not None]
        merged = self._newest(list(reversed(parts)), whole=True) if parts else None
        found = pl.DataFrame(schema=self.schema)
        if merged is not None:
            found = merged.frame.sort([self._time, HASH]).select(*self.schema)
        self.forget(until + 1)
        return found

    def take_all(self) -> pl.DataFrame:
        """Remove and return all timers, by time; later ones may be of any time again."""
        before = self.horizon, self._first_bucket
        found = self.due(_LATEST)
        self.horizon, self._first_bucket = before
        return found

    def next_time(self) -> int | None:
        """A time that no timer is before; None: there is none."""
        time, parts = pl.col(self._time), [self._alive(run) for run in self.runs]
        open_ = pl.lit(value=True) if self.horizon is None else time >= self.horizon
        frames = [part.frame.lazy().filter(open_).select(time.min()) for part in parts if part]
        if not frames:
            return None
        found = pl.concat(frames).min().collect().item()
        return None if found is None else int(found)

    def _count_alive(self, rows: pl.DataFrame) -> int:
        horizon = -_LATEST if self.horizon is None else self.horizon
        return int((~rows[GONE] & (rows[self._time] >= horizon)).sum())

    def _bucket_of(self, time: int) -> int | None:
        return time // self._width

    def _due_of(self, run: Run, until: int) -> Run | None:
        """Its timers that are due: only these are merged, not each time the whole slot."""
        alive = self._alive(run)
        if alive is None:
            return None
        part = alive.between(int(alive.buckets[0]), until // self._width + 1)
        if part is None:
            return None
        times = part.frame.get_column(self._time).to_numpy()
        due = times <= until
        if self.horizon is not None:
            due &= times >= self.horizon
        rows = np.flatnonzero(due)
        if len(rows) in (0, part.rows):
            return part if len(rows) else None
        return Run.of(part.frame[rows], part.hashes[rows], part.bucket_of_rows()[rows])

    def _put(self, rows: pl.DataFrame, *, gone: bool) -> None:
        if rows.height:
            rows = rows.select(*self.schema, pl.lit(gone).alias(GONE))
            self._add(self._newest([self._sorted(rows)], whole=False))

    def _buckets(self, frame: pl.DataFrame) -> Rows | None:
        slots: Rows = frame[self._time].to_numpy() // self._width
        return slots

    def _reduced(self, runs: Sequence[Run], *, whole: bool) -> Run | None:
        return self._newest(list(reversed(runs)), whole=whole)

    def _newest(self, runs: Sequence[Run], *, whole: bool) -> Run | None:
        """Each key and time once, from the newest of these runs."""
        frame, hashes, slots = self._joined(runs)
        assert slots is not None
        order = merge_order(hashes, slots)
        keep = self._first_of_each(frame, order, hashes[order], slots[order])
        if whole:
            keep &= ~frame[GONE].to_numpy()[order]
        order = order[keep]
        return Run.of(frame[order], hashes[order], slots[order]) if len(order) else None

    def _first_of_each(self, frame: pl.DataFrame, order: Rows, hashes: Hashes, slots: Rows) -> Mask:
        same = continues(hashes, slots)
        again, keys = np.flatnonzero(same), frame.select(self.keys)
        if same_keys(keys[order[again]], keys[order[again + 1]], self.keys).all():
            return np.append(np.True_, ~same)
        keep = np.zeros(len(order), np.bool_)
        keep[np.unique(key_ids(keys[order], self.keys), return_index=True)[1]] = True
        return keep
