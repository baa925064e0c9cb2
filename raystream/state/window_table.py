"""WindowTable: one partial per pane and key, folded when runs are merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.segment import Segment
from raystream.state.fold import Fold
from raystream.state.grouping import first_alike
from raystream.state.keys import (
    Hashes,
    Mask,
    Rows,
    continues,
    key_hashes,
    key_ids,
    ordered_by,
    same_keys,
    stable_order,
)
from raystream.state.run import HASH, Run, RunPolicy
from raystream.state.sorted_runs import SortedRuns, merge_order

WINDOWS = RunPolicy(ratio=16, memtable=262_144, slack=2.0)
"""Partials are read only once, when their window closes: few merges before."""

_FEW = 2
"""Up to so many sorted runs are merged by sort."""

_MOST_BY_TABLE = 2**21
"""Above, a hash table leaves the caches of the processor."""


@dataclass(slots=True)
class _Recent:
    """Rows as they were added, and their panes."""

    frame: pl.DataFrame
    low: int
    high: int
    counted: list[tuple[int, int]] | None = None

    @classmethod
    def of(cls, frame: pl.DataFrame, pane: str) -> _Recent:
        panes = frame.get_column(pane)
        low, high = panes.min(), panes.max()
        assert isinstance(low, int)
        assert isinstance(high, int)
        return cls(frame, low, high)

    def counts(self, pane: str) -> list[tuple[int, int]]:
        """Panes, and how many rows they have."""
        if self.counted is None:
            self.counted = [(self.low, self.frame.height)]
            if self.low != self.high:
                found = np.unique(self.frame[pane].to_numpy(), return_counts=True)
                self.counted = list(zip(*(each.tolist() for each in found), strict=True))
        return self.counted


class WindowTable(SortedRuns):
    """A pane is the piece of event time that windows share (Flink's slices).

    Args:
        keys: Names of the key columns.
        schema: All columns with their types.
        pane: Int64 column without nulls.
        fold: Of the partial columns: those that are neither keys nor pane.
        prefix: Start of new segment ids.
        policy: When runs are merged.

    >>> columns = {"k": pl.String(), "pane": pl.Int64(), "n": pl.Int64()}
    >>> table = WindowTable(["k"], columns, pane="pane", fold=Fold({"n": "sum"}), prefix="0")
    >>> table.append(pl.DataFrame({"k": ["a", "b", "a"], "pane": [0, 0, 0], "n": [1, 2, 3]}))
    >>> sorted(table.select(0, 1).select("k", "n").rows())
    [('a', 4), ('b', 2)]
    """

    def __init__(
        self,
        keys: Sequence[str],
        schema: Mapping[str, pl.DataType],
        *,
        pane: str,
        fold: Fold,
        prefix: str,
        policy: RunPolicy = WINDOWS,
    ) -> None:
        super().__init__(keys, schema, prefix, policy)
        self._pane, self._fold = pane, fold
        self._recent: list[_Recent] = []
        self._recent_rows = 0

    def __len__(self) -> int:
        """Rows held, folded or not."""
        return self._recent_rows + super().__len__()

    def memory_bytes(self) -> int:
        """Memory of the rows held and of what finds them."""
        recent = sum(each.frame.estimated_size() for each in self._recent)
        return int(recent) + super().memory_bytes()

    def append(self, partials: pl.DataFrame) -> None:
        """Add partials; folded when there are many, or when they are read."""
        if partials.height:
            names = list(self.schema)
            ordered = partials if partials.columns == names else partials.select(names)
            self._recent.append(_Recent.of(ordered, self._pane))
            self._recent_rows += partials.height
        if self._recent_rows >= self._policy.memtable:
            self.flush()

    def flush(self) -> None:
        """Fold the rows added last."""
        recent = [each.frame for each in self._recent]
        self._recent, self._recent_rows = [], 0
        if recent:
            self._add(self._as_run(pl.concat(recent, rechunk=True)))

    def _flush_before(self, pane: int) -> None:
        """Fold the rows of earlier panes: they are about to be read, and then dropped."""
        before = [part for each in self._recent if (part := self._part(each, pane)) is not None]
        if before:
            self._recent = [
                left for each in self._recent if (left := self._from(each, pane)) is not None
            ]
            self._recent_rows = sum(each.frame.height for each in self._recent)
            self._add(self._as_run(pl.concat(before, rechunk=True)))

    def _part(self, recent: _Recent, before: int) -> pl.DataFrame | None:
        if recent.low >= before:
            return None
        frame = recent.frame
        return frame if recent.high < before else frame.filter(pl.col(self._pane) < before)

    def _from(self, recent: _Recent, pane: int) -> _Recent | None:
        if recent.low >= pane:
            return recent
        if recent.high < pane:
            return None
        return _Recent.of(recent.frame.filter(pl.col(self._pane) >= pane), self._pane)

    def select(
        self, low: int, high: int, part: int = 0, parts: int = 1, *, once: bool = True
    ) -> pl.DataFrame:
        """The partials of panes low <= pane < high, one per pane and key, by rising pane.

        Args:
            low: First pane.
            high: End of the panes.
            part: Only this one of `parts` ranges of the hash of the key.
            parts: Number of ranges.
            once: False: there may be several of a pane and key, in any order, which is faster.

        Returns:
            All columns, and HASH.
        """
        self._flush_before(high)
        low = low if self.horizon is None else max(low, self.horizon)
        found = [run for each in self.runs if (run := each.between(low, high)) is not None]
        if parts > 1:
            edges = [(number << 64) // parts for number in (part, part + 1)]
            found = [run for each in found if (run := each.of_hashes(*edges)).rows]
        if not found:
            return pl.DataFrame(schema={**self.schema, HASH: pl.UInt64()})
        if len(found) > 1 and not once:
            return pl.concat([run.frame for run in found])
        return (found[0] if len(found) == 1 else self._reduced(found)).frame

    def folded(self, rows: pl.DataFrame, by: str) -> pl.DataFrame:
        """Rows of `select`, one per key and value of another column in place of the pane, rising.

        Args:
            rows: With HASH, and any other columns that depend on `by`.
            by: Int64 column without nulls.
        """
        if not rows.height:
            return rows
        hashes, buckets = rows[HASH].to_numpy(), rows[by].to_numpy()
        order = ordered_by(stable_order(hashes), buckets)
        return self._of_groups(rows, order, hashes[order], buckets[order], by).frame

    def pane_counts(self) -> list[tuple[int, int]]:
        """Rows held by pane, rising."""
        total: Counter[int] = Counter()
        for run in self.runs:
            total.update(dict(run.counts()))
        for recent in self._recent:
            total.update(dict(recent.counts(self._pane)))
        horizon = self.horizon
        return sorted(one for one in total.items() if horizon is None or one[0] >= horizon)

    def panes(self) -> Rows:
        """Panes that hold rows, rising."""
        found = [run.buckets for run in self.runs]
        for recent in self._recent:
            found.append(np.array([pane for pane, _ in recent.counts(self._pane)], np.int64))
        every: Rows = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
        return every if self.horizon is None else every[every >= self.horizon]

    def relabel(self, pane: pl.Expr) -> None:
        """Merge everything under other panes; for panes that nobody distinguishes any more."""
        self.flush()
        runs = [run for each in self.runs if (run := self._alive(each)) is not None]
        self.runs = []
        if runs:
            frame = pl.concat([run.frame for run in runs], rechunk=True)
            self._add(self._as_run(frame.with_columns(pane.alias(self._pane))))

    def forget(self, horizon: int) -> None:
        """Drop smaller panes; a snapshot may contain them, so repeat it after a restore."""
        super().forget(horizon)
        left = [self._from(each, horizon) for each in self._recent if each.high >= horizon]
        self._recent = [each for each in left if each is not None]
        self._recent_rows = sum(each.frame.height for each in self._recent)

    def compact(self) -> None:
        """Merge everything into one run."""
        self.flush()
        super().compact()

    def snapshot(self) -> tuple[Segment, ...]:
        """All rows as immutable segments; a segment keeps its id from snapshot to snapshot."""
        self.flush()
        return super().snapshot()

    def _bucket_of(self, time: int) -> int | None:
        return time

    def _buckets(self, frame: pl.DataFrame) -> Rows | None:
        panes: Rows = frame[self._pane].to_numpy()
        return panes

    def _reduced(self, runs: Sequence[Run], *, whole: bool = False) -> Run:
        frame, hashes, panes = self._joined(runs)
        assert panes is not None
        folded = self._by_table(frame, hashes, panes) if len(runs) > _FEW else None
        if folded is not None:
            return folded
        order = merge_order(hashes, panes)
        return self._of_groups(frame, order, hashes[order], panes[order], self._pane)

    def _as_run(self, frame: pl.DataFrame) -> Run:
        """Rows in any order, folded; with HASH, if they have it."""
        if HASH not in frame.columns:
            hashes = key_hashes(frame, self.keys, self._policy.hash_bits)
            frame = frame.with_columns(pl.Series(HASH, hashes))
        hashes, panes = frame[HASH].to_numpy(), frame[self._pane].to_numpy()
        folded = self._by_table(frame, hashes, panes)
        if folded is not None:
            return folded
        order = ordered_by(stable_order(hashes), panes)
        return self._of_groups(frame, order, hashes[order], panes[order], self._pane)

    def _by_table(self, frame: pl.DataFrame, hashes: Hashes, panes: Rows) -> Run | None:
        """Fold rows in any order; None if it has to be done by their order, or is cheaper so."""
        rows = frame.height
        numbers = self._fold.numbers(frame) if 1 < rows <= _MOST_BY_TABLE else None
        if numbers is None:
            return None
        first = first_alike(hashes, panes)
        firsts = np.flatnonzero(first == np.arange(rows, dtype=np.uint32))
        keys = frame.select(self.keys)
        if 4 * len(firsts) > 3 * rows or (
            self.keys and not same_keys(keys, keys[pl.Series(first)], self.keys).all()
        ):
            return None
        firsts = firsts[ordered_by(stable_order(hashes[firsts]), panes[firsts])]
        folded = self._fold.scattered(frame, numbers, first, firsts)
        kept = frame.drop(self._fold.columns)[firsts]
        run = kept.hstack(folded).select(frame.columns)
        return Run.of(run, hashes[firsts], panes[firsts])

    def _of_groups(
        self, frame: pl.DataFrame, order: Rows, hashes: Hashes, buckets: Rows, by: str
    ) -> Run:
        """Fold rows that are in the order of (bucket, hash); column `by` is the bucket."""
        same = continues(hashes, buckets)
        if not same.any():
            return Run.of(frame[order], hashes, buckets)
        begins = np.append(np.True_, ~same)
        again, keys = np.flatnonzero(same), frame.select(self.keys)
        if self.keys and not same_keys(keys[order[again]], keys[order[again + 1]], self.keys).all():
            order, begins = self._told_apart(keys, order, hashes, buckets)
            hashes, buckets = frame[HASH].to_numpy()[order], frame[by].to_numpy()[order]
        first = frame.drop(self._fold.columns)[order[begins]]
        rows = first.hstack(self._fold(frame, order, begins)).select(frame.columns)
        return Run.of(rows, hashes[begins], buckets[begins])

    def _told_apart(
        self, keys: pl.DataFrame, order: Rows, hashes: Hashes, buckets: Rows
    ) -> tuple[Rows, Mask]:
        """Two keys have the same hash: order by exact key within it; returns where keys begin."""
        ids = key_ids(keys[order], self.keys)
        by = np.lexsort((ids, hashes, buckets))
        ids, buckets = ids[by], buckets[by]
        begins = np.ones(len(by), np.bool_)
        begins[1:] = (ids[1:] != ids[:-1]) | (buckets[1:] != buckets[:-1])
        return order[by], begins
