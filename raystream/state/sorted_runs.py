"""Runs of one table, oldest first: adding rows, merging runs, snapshots.

A log-structured merge tree in memory (O'Neil et al., 1996) whose runs are frames: nothing is
updated in place, so a snapshot is the names of the runs, and an incremental checkpoint uploads
only those that storage does not have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from raystream.data.frames import gathered, replaced
from raystream.data.segment import Segment
from raystream.state.keys import Hashes, Rows, key_hashes, ordered_by, stable_order
from raystream.state.memory import StateMemory
from raystream.state.own_bytes import own_bytes
from raystream.state.run import GONE, HASH, Run, RunPolicy

OWN = (HASH, GONE)
"""Columns of the engine in the segments of tables."""

_LAST_BUCKET = 2**62

EXACT_ROWS = 20_000
"""Tables up to this size are merged to be counted, which takes some 2 ms."""

_AT_ONCE = 4
"""Runs of the largest size that are merged at once, or smaller ones with as many rows."""


class SortedRuns(ABC):
    """Common base of all tables.

    Args:
        keys: Names of the key columns, of any types that Polars hashes.
        schema: All columns with their types.
        prefix: Start of new segment ids; with the attempt's number, which is never reused.
        policy: When runs are merged.

    Attributes:
        horizon: Smaller times are forgotten; kept with a snapshot. None: none are.
    """

    def __init__(
        self,
        keys: Sequence[str],
        schema: Mapping[str, pl.DataType],
        prefix: str,
        policy: RunPolicy,
    ) -> None:
        self.keys = list(keys)
        self.schema = dict(schema)
        self.runs: list[Run] = []
        self._prefix = prefix
        self._policy = policy
        self._named = 0
        self.horizon: int | None = None
        self._first_bucket: int | None = None
        self._memory = StateMemory()
        self._row_bytes = 1.0, 0

    def __len__(self) -> int:
        """Rows held."""
        return sum(run.rows for run in self.runs)

    def count(self) -> int:
        """Rows alive: exact up to EXACT_ROWS held, else with older versions that are not merged."""
        parts = [part for run in self.runs if (part := self._alive(run)) is not None]
        if sum(part.rows for part in parts) > EXACT_ROWS:
            return sum(part.rows - _deleted(part) for part in parts)
        merged = self._reduced(parts, whole=True) if len(parts) > 1 else next(iter(parts), None)
        return 0 if merged is None else self._count_alive(merged.frame)

    def size_bytes(self) -> int:
        """Bytes of the rows held, in memory or on disk."""
        return self.memory_bytes() + self.disk_bytes()

    def memory_bytes(self) -> int:
        """Memory of the rows held and of what finds them."""
        return sum(run.memory_bytes() for run in self.runs)

    def disk_bytes(self) -> int:
        """Bytes of the runs that were spilled to disk."""
        return sum(run.disk for run in self.runs)

    def bounded_by(self, memory: StateMemory) -> None:
        """Count this table's memory there: runs above the limit are spilled to disk."""
        self._memory = memory
        memory.add(self)
        memory.settle()

    def forget(self, horizon: int) -> None:
        """Drop rows of smaller times; a snapshot may contain them, so repeat it after a restore."""
        self.horizon = horizon if self.horizon is None else max(horizon, self.horizon)
        bucket = self._bucket_of(self.horizon)
        if bucket is not None:
            self._drop_before(bucket)

    def compact(self) -> None:
        """Merge everything into one run."""
        self._merge(0)

    def snapshot(self) -> tuple[Segment, ...]:
        """All rows as immutable segments; a segment keeps its id from snapshot to snapshot."""
        return tuple(self._segment(run) for run in self.runs)

    def restore(self, segments: Sequence[Segment], *, same_hash: bool = True) -> None:
        """Start from segments, oldest first, under their own ids.

        Args:
            segments: Of a snapshot, or the owned rows of several.
            same_hash: False if another version of Polars wrote them: they are sorted again.
        """
        for segment in segments:
            frame = segment.frame.rechunk()  # IPC comes back in pieces of some 100,000 rows
            if not frame.height:
                continue
            if same_hash and HASH in frame.columns:
                run = Run.of(frame, frame[HASH].to_numpy(), self._buckets(frame))
                run.id = segment.id
                run.disk, run.kept = segment.disk, 0 if segment.disk else -1
            else:
                run = self._sorted(frame.drop(HASH, strict=False))
            self.runs.append(run)
            self._memory.settle()

    # --- what a table decides

    def _buckets(self, frame: pl.DataFrame) -> Rows | None:
        """i64[n]: bucket of each row; None: the table has one."""
        return None

    def _bucket_of(self, time: int) -> int | None:
        """Bucket of a time; None: the table has one for all times."""
        return None

    @abstractmethod
    def _reduced(self, runs: Sequence[Run], *, whole: bool) -> Run | None:
        """Merge adjacent runs, oldest first, into one; `whole`: the oldest of all is among them."""

    def _count_alive(self, rows: pl.DataFrame) -> int:
        """Rows of a merged run that are neither deleted nor over."""
        return rows.height

    # --- writing

    def _add(self, run: Run | None) -> None:
        if run is not None and run.rows:
            self.runs.append(run)
            self._settle(run.rows)
            self._memory.settle()

    def _sorted(self, frame: pl.DataFrame) -> Run:
        """A run of rows in any order; rows of one key stay in their order."""
        hashes = key_hashes(frame, self.keys, self._policy.hash_bits)
        buckets = self._buckets(frame)
        order = stable_order(hashes)
        if buckets is not None:
            order = ordered_by(order, buckets)
            buckets = buckets[order]
        hashes = hashes[order]
        rows = replaced(gathered(frame, order), [pl.Series(HASH, hashes)])
        return Run.of(rows, hashes, buckets)

    def _settle(self, added: int) -> None:
        """Merge what is due after so many rows were added."""
        while len(self.runs) > 1:
            first = self._first_to_merge()
            if first is None:
                return
            self._merge(first)

    def _first_to_merge(self) -> int | None:
        """Index of the first run to merge now; None: no merge is needed."""
        runs, policy, most = self.runs, self._policy, self._most_rows()
        younger = sum(run.rows for run in runs[1:])
        due = max(policy.slack * runs[0].rows, policy.memtable)
        if due < younger <= _AT_ONCE * most - runs[0].rows:
            return 0
        return self._like_the_last(0, most)

    def _like_the_last(self, oldest: int, most: int) -> int | None:
        """Index of the first of the youngest runs of like size, if they are enough to be merged.

        Args:
            oldest: Runs before this one are not merged.
            most: Nor are runs with more rows, nor many times as many rows in all.
        """
        level, first = self._level(self.runs[-1]), len(self.runs)
        room = _AT_ONCE * most
        while first > oldest and self._is_small(self.runs[first - 1], level, min(most, room)):
            first -= 1
            room -= self.runs[first].rows
        return first if len(self.runs) - first >= self._policy.ratio else None

    def _is_small(self, run: Run, level: int, most: int) -> bool:
        return run.rows <= most and self._level(run) <= level

    def _most_rows(self) -> int:
        """Rows of a run that may be merged with others, which should fit into memory together."""
        policy, limit, rows = self._policy, self._memory.limit, len(self)
        if limit is None or not rows:
            return policy.most_rows
        measured, at = self._row_bytes
        if abs(rows - at) * 16 > rows:  # looking at every run for each batch took 6 % of its time
            measured = max(1, self.size_bytes()) / rows
            self._row_bytes = measured, rows
        return max(policy.memtable, min(policy.most_rows, int(limit / 32 / measured)))

    def _level(self, run: Run) -> int:
        size, level = self._policy.memtable, 0
        while run.rows > size:
            size, level = size * self._policy.ratio, level + 1
        return level

    def _merge(self, first: int) -> None:
        parts = [part for run in self.runs[first:] if (part := self._alive(run)) is not None]
        if len(parts) < 2 and parts == self.runs[first:]:
            return
        merged = self._reduced(parts, whole=first == 0) if len(parts) > 1 else None
        self.runs[first:] = parts if len(parts) < 2 else []
        if merged is not None and merged.rows:
            merged.dead = sum(run.dead + run.rows for run in parts) - merged.rows
            if merged.dead > merged.rows or any(run.disk for run in parts):
                merged.frame, merged.dead = own_bytes(merged.frame), 0
            self.runs.append(merged)

    # --- dead buckets

    def _alive(self, run: Run) -> Run | None:
        """The buckets that are not dead, without a copy."""
        first = self._first_bucket
        if first is None or run.buckets[0] >= first:
            return run
        return run.between(first, _LAST_BUCKET)

    def _drop_before(self, bucket: int) -> None:
        """Drop earlier buckets; rows are removed once they are more than half of a run."""
        self._first_bucket = bucket
        self.runs = [left for run in self.runs if (left := run.from_bucket(bucket)) is not None]
        self._memory.settle()

    # --- helpers of merges

    def _joined(self, runs: Sequence[Run]) -> tuple[pl.DataFrame, Hashes, Rows | None]:
        """Rows of all runs one after the other, their hashes and buckets."""
        frame = pl.concat([run.frame for run in runs], how="vertical", rechunk=True)
        hashes = np.concatenate([run.hashes for run in runs])
        if self._buckets(frame[:1]) is None:
            return frame, hashes, None
        return frame, hashes, np.concatenate([run.bucket_of_rows() for run in runs])

    def _segment(self, run: Run) -> Segment:
        if run.id is None:
            run.id = f"{self._prefix}-{self._named}"
            self._named += 1
        return Segment(run.id, run.frame)


def _deleted(run: Run) -> int:
    """Marks of deletions; those on disk are not looked at."""
    return 0 if run.disk or GONE not in run.frame.columns else int(run.frame[GONE].sum())


def merge_order(hashes: Hashes, buckets: Rows | None) -> Rows:
    """i64[n]: stable order by (bucket, hash) of sorted parts: timsort merges them, O(n).

    >>> merge_order(np.array([1, 9, 3], np.uint64), None).tolist()
    [0, 2, 1]
    """
    if buckets is None or (buckets == buckets[0]).all():
        return np.argsort(hashes, kind="stable")
    order = np.argsort(buckets, kind="stable")
    ordered = buckets[order]
    edges = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(ordered)]
    for low, high in zip(edges, edges[1:], strict=False):
        part = order[low:high]
        order[low:high] = part[np.argsort(hashes[part], kind="stable")]
    return order
