"""TimeTable: all rows of each key by time; old rows are dropped by slots of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from raystream.data.frames import gathered, narrowed
from raystream.state.keys import Hashes, Rows, expand, key_hashes, same_keys, stable_order
from raystream.state.run import DEFAULT, Run, RunPolicy
from raystream.state.sorted_runs import SortedRuns, merge_order

Found = tuple[Rows, pl.DataFrame]
"""Index of the requested key, and a row of it within the requested time; unordered."""

_Hits = tuple[Rows, Rows]


class TimeTable(SortedRuns):
    """The rows that a join keeps.

    Args:
        keys: Names of the key columns.
        schema: All columns with their types.
        time: Int64 column without nulls.
        width: Of a slot, in units of time: about the longest range that is fetched. 0: one slot,
            rows never expire.
        prefix: Start of new segment ids.
        policy: When runs are merged.

    >>> columns = {"k": pl.String(), "t": pl.Int64()}
    >>> table = TimeTable(["k"], columns, time="t", width=10, prefix="0")
    >>> table.append(pl.DataFrame({"k": ["a", "a", "b"], "t": [1, 7, 7]}))
    >>> asked, low, high = pl.DataFrame({"k": ["a"]}), np.array([5]), np.array([9])
    >>> table.fetch(asked, low, high)[1]["t"].to_list()
    [7]
    """

    def __init__(
        self,
        keys: Sequence[str],
        schema: Mapping[str, pl.DataType],
        *,
        time: str,
        width: int,
        prefix: str,
        policy: RunPolicy = DEFAULT,
    ) -> None:
        super().__init__(keys, schema, prefix, policy)
        self._time, self._width = time, width

    def append(self, rows: pl.DataFrame) -> None:
        """Add rows."""
        if rows.height:
            self._add(self._in_time(self._sorted(narrowed(rows, self.schema))))

    def fetch(self, keys: pl.DataFrame, low: Rows, high: Rows) -> Found:
        """The rows of key i with low[i] <= time <= high[i].

        Args:
            keys: Rows with the key columns; keys may repeat.
            low: i64[n].
            high: i64[n].
        """
        keys, names = narrowed(keys, self.keys), list(self.schema)
        hashes = key_hashes(keys, self.keys, self._policy.hash_bits)
        order = stable_order(hashes)
        low, high, hashes = self._above_horizon(low[order]), high[order], hashes[order]
        whose: list[Rows] = []
        frames: list[pl.DataFrame] = []
        for run in self.runs if keys.height else ():
            for who, row in self._hits(run, hashes, low, high):
                if len(who):
                    whose.append(order[who])
                    frames.append(gathered(run.columns(names), row))
        if not frames:
            return np.empty(0, np.int64), pl.DataFrame(schema=self.schema)
        one = len(frames) == 1
        who = whose[0] if one else np.concatenate(whose)
        rows = frames[0] if one else pl.concat(frames, rechunk=True)
        equal = same_keys(rows, gathered(keys, who), self.keys)
        return (who, rows) if equal.all() else (who[equal], rows.filter(pl.Series(equal)))

    def select(self, low: int, high: int, most: int) -> Iterator[pl.DataFrame]:
        """The rows of all keys with low <= time <= high, unordered, in pieces.

        The table must not change before all is consumed.

        Args:
            low: First time.
            high: Last time.
            most: Rows of a piece.
        """
        low = low if self.horizon is None else max(low, self.horizon)
        for run in self.runs:
            part: Run | None = run
            if self._width:
                part = run.between(low // self._width, high // self._width + 1)
            if part is None:
                continue
            times = part.frame[self._time].to_numpy()
            found = np.flatnonzero((times >= low) & (times <= high))
            for first in range(0, len(found), most):
                yield part.frame.select(*self.schema)[found[first : first + most]]

    def clear(self) -> None:
        """Drop all rows."""
        self.runs = []

    def _above_horizon(self, low: Rows) -> Rows:
        return low if self.horizon is None else np.maximum(low, self.horizon)

    def _bucket_of(self, time: int) -> int | None:
        return time // self._width if self._width else None

    def _buckets(self, frame: pl.DataFrame) -> Rows | None:
        if not self._width:
            return None
        slots: Rows = frame[self._time].to_numpy() // self._width
        return slots

    def _hits(self, run: Run, hashes: Hashes, low: Rows, high: Rows) -> Iterator[_Hits]:
        """Needles and rows, slot by slot."""
        if not self._width:
            everybody = np.arange(len(hashes))
            yield self._ranged(run, everybody, run.search(hashes, None, self._policy), low, high)
            return
        first, last = low // self._width, high // self._width
        begin, end = np.searchsorted(run.buckets, [first.min(), last.max() + 1])
        for slot in run.buckets[begin:end].tolist():
            who = np.flatnonzero((first <= slot) & (slot <= last))
            if len(who):
                yield self._ranged(run, who, run.search(hashes[who], slot, self._policy), low, high)

    def _ranged(self, run: Run, who: Rows, group: Rows, low: Rows, high: Rows) -> _Hits:
        hit = group >= 0
        who = who[hit]
        start, count = run.ranges(group[hit])
        times = run.frame[self._time].to_numpy()
        long = np.flatnonzero(count > self._policy.bisect_rows)
        if len(long):  # one key with 100,000 rows would be scanned for each needle
            at, end = start[long], start[long] + count[long]
            left = _bisect(times, at, end, low[who[long]])
            right = _bisect(times, left, end, high[who[long]], behind=True)
            start, count = start.copy(), count.copy()
            start[long], count[long] = left, right - left
        row, who = expand(start, count), np.repeat(who, count)
        good = (times[row] >= low[who]) & (times[row] <= high[who])
        return who[good], row[good]

    def _in_time(self, run: Run) -> Run:
        """Rows of a group by time: few are out of order, only their groups are sorted."""
        if run.starts is None:
            return run
        times = run.frame[self._time].to_numpy()
        same = np.ones(run.rows - 1, np.bool_)
        same[run.starts[1:-1] - 1] = False
        wrong = np.flatnonzero(same & (times[1:] < times[:-1]))
        if not len(wrong):
            return run
        groups = np.unique(np.searchsorted(run.starts, wrong, side="right") - 1)
        first, count = run.ranges(groups)
        rows, number = expand(first, count), np.repeat(np.arange(len(groups)), count)
        order = np.arange(run.rows)
        order[rows] = rows[np.lexsort((times[rows], number))]
        return Run(run.frame[order], run.hashes, run.groups, run.starts, run.buckets, run.reach)

    def _reduced(self, runs: Sequence[Run], *, whole: bool) -> Run | None:
        frame, hashes, buckets = self._joined(runs)
        order = merge_order(hashes, buckets)
        buckets = None if buckets is None else buckets[order]
        return self._in_time(Run.of(frame[order], hashes[order], buckets))


def _bisect(times: Rows, low: Rows, high: Rows, value: Rows, *, behind: bool = False) -> Rows:
    """Per i: the first position in low[i]..high[i] whose time is >= value[i], or > if `behind`."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        mid = (low + high) >> 1
        found = times[np.minimum(mid, len(times) - 1)]
        smaller = open_ & ((found <= value) if behind else (found < value))
        low = np.where(smaller, mid + 1, low)
        high = np.where(open_ & ~smaller, mid, high)
    return low
