"""A run: rows of keyed state that never change, sorted by bucket and hash of the key.

A bucket is the time after which rows expire together (a pane, a slot of timers or of a join's
history); tables without time have one. Measured, with the alternatives, before it was built: one
search of 20,000 keys in a million costs 100 to 200 ns a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from raystream.ids import HIDDEN
from raystream.state.keys import Hashes, Rows, continues
from raystream.state.own_bytes import own_bytes
from raystream.state.slot_filter import Needles, SlotFilter

HASH = f"{HIDDEN}hash"
"""UInt64 column of a run: hash of the key."""

GONE = f"{HIDDEN}gone"
"""Boolean column of some runs: the row marks its key, or its timer, as deleted."""


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """When runs are merged, and how they are searched.

    Args:
        ratio: Number of neighbours of one size class (memtable * ratio ** i rows) to merge.
        memtable: Rows of the smallest class.
        slack: All are merged when the younger ones have more than slack x the rows of the oldest.
        directory_rows: From this many rows on, the high bits of a hash index where to search.
        bisect_rows: From this many rows of a key on, their times are bisected, not scanned.
        hash_bits: Significant bits of a hash.
        cut_rows: From this many rows on, the oldest run is cut by hash (see swept_runs.py).
        pieces: Into about how many.
        most_rows: Larger runs are not merged with others, unless the table is swept, nor more than
            four times as many rows at once: a merge holds up its batch.
        sweep_slack: A sweep starts when the younger runs have more than this x the rows of the cut
            ones.
    """

    ratio: int = 4
    memtable: int = 4_096
    slack: float = 1.0
    directory_rows: int = 2_000_000
    bisect_rows: int = 32
    hash_bits: int = 64
    cut_rows: int = 262_144
    pieces: int = 96
    most_rows: int = 1_048_576
    sweep_slack: float = 2 / 3


DEFAULT = RunPolicy()
"""For tables of single rows."""

_VIEW = 16
"""Bytes of a row of texts beside its text, which Polars leaves out of its estimate."""

_Directory = tuple[npt.NDArray[np.uint32], np.uint64]


@dataclass(slots=True, eq=False)
class Run:
    """Rows in the order of (bucket, hash[, time]).

    A group is the rows of one (bucket, hash).

    Args:
        frame: Rows, with HASH.
        hashes: Hash of each row.
        groups: Hash of each group.
        starts: First row of each group and the end of the last; None: each is one row.
        buckets: Rising.
        reach: Groups of bucket b are reach[b] <= group < reach[b + 1].
        id: Name in snapshots, once it has one.
        dead: Rows dropped by merges since the bytes of texts were last copied.
        disk: Bytes of its file, which its rows are mapped from; 0: they are in memory.
        kept: Bytes of the columns that stay in memory though it has a file.
    """

    frame: pl.DataFrame
    hashes: Hashes
    groups: Hashes
    starts: Rows | None
    buckets: Rows
    reach: Rows
    id: str | None = None
    dead: int = 0
    disk: int = 0
    kept: int = -1
    _directories: dict[int, _Directory] = field(default_factory=dict)
    _narrow: dict[tuple[str, ...], pl.DataFrame] = field(default_factory=dict)
    _filter: SlotFilter | None = None

    @classmethod
    def of(cls, frame: pl.DataFrame, hashes: Hashes, buckets: Rows | None) -> Run:
        """Build from ordered rows; `buckets`: that of each row, None: there is only one.

        >>> run = Run.of(pl.DataFrame({"k": [1, 1, 2]}), np.array([5, 5, 9], np.uint64), None)
        >>> run.groups.tolist(), run.starts.tolist()
        ([5, 9], [0, 2, 3])
        """
        if HASH in frame.columns:  # the same numbers, held once
            hashes = frame.get_column(HASH).to_numpy()
        names, edges = _buckets(len(hashes), buckets)
        same = continues(hashes, buckets if len(names) > 1 else None)
        if not same.any():
            return cls(frame, hashes, hashes, None, names, edges)
        starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
        reach = np.searchsorted(starts, edges)
        return cls(frame, hashes, hashes[starts], np.append(starts, len(hashes)), names, reach)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.hashes)

    def memory_bytes(self) -> int:
        """Memory of the rows, unless they are mapped from a file, and of what finds them."""
        if self.kept < 0:
            texts = sum(kind in (pl.String, pl.Binary) for kind in self.frame.dtypes)
            self.kept = int(self.frame.estimated_size()) + _VIEW * texts * self.rows
        found = self.kept + (0 if self.starts is None else self.groups.nbytes + self.starts.nbytes)
        found += 0 if self._filter is None else self._filter.nbytes
        return found + sum(offsets.nbytes for offsets, _ in self._directories.values())

    def bucket_of_rows(self) -> Rows:
        """i64[rows]."""
        edges = self.reach if self.starts is None else self.starts[self.reach]
        return np.repeat(self.buckets, np.diff(edges))

    def search(self, needles: Hashes, bucket: int | None, policy: RunPolicy) -> Rows:
        """i64[m]: group of each needle (rising hashes) in a bucket, -1 if there is none.

        Without `bucket` the run must have only one.
        """
        none = np.full(len(needles), -1)
        at = 0 if bucket is None else int(np.searchsorted(self.buckets, bucket))
        if bucket is not None and (at == len(self.buckets) or self.buckets[at] != bucket):
            return none
        low, high = int(self.reach[at]), int(self.reach[at + 1])
        part = self.groups[low:high]
        if not len(part):
            return none
        if len(part) >= policy.directory_rows:
            return _probe(part, self._directory(at, part, policy.hash_bits), needles, low)
        found = np.searchsorted(part, needles)
        found[found == len(part)] = 0
        return np.where(part[found] == needles, found + low, -1)

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """Some columns; kept, as selecting costs more than gathering the rows of a small batch."""
        found = self._narrow.get(tuple(names))
        if found is None:
            found = self._narrow[tuple(names)] = self.frame.select(names)
        return found

    def hits(self, needles: Hashes, policy: RunPolicy) -> tuple[Rows, Rows]:
        """Which needles (rising hashes) a run of one bucket has, and the group of each of them."""
        part = self.groups
        if len(part) >= policy.directory_rows:
            found = _probe(part, self._directory(0, part, policy.hash_bits), needles, 0)
            at = np.flatnonzero(found >= 0)
            return at, found[at]
        found = np.searchsorted(part, needles)
        found[found == len(part)] = 0
        at = np.flatnonzero(part[found] == needles)
        return at, found[at]

    def rare_hits(self, needles: Needles, policy: RunPolicy) -> tuple[Rows, Rows]:
        """`hits` in a run with few of the needles: a filter rules out most first."""
        if self._filter is None:
            self._filter = SlotFilter(self.groups, policy.hash_bits)
        maybe = self._filter.maybe(needles)
        at, groups = self.hits(needles.hashes[maybe], policy)
        return maybe[at], groups

    def ranges(self, groups: Rows) -> tuple[Rows, Rows]:
        """First row and number of rows of groups."""
        if self.starts is None:
            return groups, np.ones(len(groups), np.int64)
        first = self.starts[groups]
        return first, self.starts[groups + 1] - first

    def between(self, low: int, high: int) -> Run | None:
        """The buckets low <= bucket < high, without a copy; None if there are none."""
        if self.buckets[-1] < low or self.buckets[0] >= high:
            return None
        first, end = map(int, np.searchsorted(self.buckets, [low, high]))
        return None if first >= end else self._part(first, end)

    def counts(self) -> list[tuple[int, int]]:
        """Buckets, and how many rows they have."""
        edges = self.reach if self.starts is None else self.starts[self.reach]
        return list(zip(self.buckets.tolist(), np.diff(edges).tolist(), strict=True))

    def of_hashes(self, low: int, high: int) -> Run:
        """The rows with low <= hash < high."""
        if len(self.buckets) == 1:
            first = int(np.searchsorted(self.hashes, np.uint64(low)))
            last = int(np.searchsorted(self.hashes, np.uint64(high - 1), side="right"))
            bucket = np.full(last - first, self.buckets[0])
            return Run.of(self.frame[first:last], self.hashes[first:last], bucket)
        inside = (self.hashes >= np.uint64(low)) & (self.hashes <= np.uint64(high - 1))
        rows = np.flatnonzero(inside)
        return Run.of(self.frame[rows], self.hashes[rows], self.bucket_of_rows()[rows])

    def copied(self, first: int, end: int) -> Run:
        """The groups first <= group < end of a run with one bucket, which do not refer to it."""
        low, high = (first, end) if self.starts is None else self.starts[[first, end]].tolist()
        frame, hashes = own_bytes(self.frame[np.arange(low, high)]), self.hashes[low:high].copy()
        return Run.of(frame, hashes, None)

    def from_bucket(self, horizon: int) -> Run | None:
        """Drop earlier buckets, once they hold more than half of the rows; else unchanged.

        The result is a different run: the old name refers to the dropped rows, too.
        """
        at = int(np.searchsorted(self.buckets, horizon))
        if at == len(self.buckets):
            return None
        part = self._part(at, len(self.buckets))
        if part.rows * 2 >= self.rows:
            return self
        return Run.of(
            own_bytes(part.frame[np.arange(part.rows)]), part.hashes.copy(), part.bucket_of_rows()
        )

    def _part(self, first: int, end: int) -> Run:
        """Buckets by position."""
        low, high = int(self.reach[first]), int(self.reach[end])
        reach = self.reach[first : end + 1] - low
        buckets = self.buckets[first:end]
        if self.starts is None:
            hashes = self.hashes[low:high]
            return Run(self.frame[low:high], hashes, hashes, None, buckets, reach)
        row, last = int(self.starts[low]), int(self.starts[high])
        starts = self.starts[low : high + 1] - row
        groups = self.groups[low:high]
        return Run(self.frame[row:last], self.hashes[row:last], groups, starts, buckets, reach)

    def _directory(self, at: int, part: Hashes, hash_bits: int) -> _Directory:
        if at not in self._directories:
            bits = min(max(1, hash_bits), max(1, len(part).bit_length() - 1))
            shift = np.uint64(max(1, hash_bits) - bits)
            counts = np.bincount((part >> shift).astype(np.int64), minlength=1 << bits)
            offsets = np.zeros((1 << bits) + 1, np.uint32)
            np.cumsum(counts, out=offsets[1:])
            self._directories[at] = offsets, shift
        return self._directories[at]


def _buckets(rows: int, buckets: Rows | None) -> tuple[Rows, Rows]:
    """The buckets, and where their rows begin and end."""
    if buckets is None or not rows or buckets[0] == buckets[-1]:
        only = 0 if buckets is None or not rows else int(buckets[0])
        return np.array([only], np.int64), np.array([0, rows])
    edges = np.concatenate([[0], np.flatnonzero(buckets[1:] != buckets[:-1]) + 1, [rows]])
    return buckets[edges[:-1]], edges


def _probe(part: Hashes, directory: _Directory, needles: Hashes, low: int) -> Rows:
    """Hashes are uniform: start at the slot of the high bits, step until it is not smaller."""
    offsets, shift = directory
    slot = (needles >> shift).astype(np.int64)
    at, end = offsets[slot].astype(np.int64), offsets[slot + 1].astype(np.int64)
    found = np.full(len(needles), -1)
    open_ = np.flatnonzero(at < end)
    at, end, needles = at[open_], end[open_], needles[open_]
    while len(open_):
        value = part[at]
        hit = value == needles
        found[open_[hit]] = at[hit] + low
        at += 1
        more = (value < needles) & (at < end)
        open_, at, end, needles = open_[more], at[more], end[more], needles[more]
    return found
