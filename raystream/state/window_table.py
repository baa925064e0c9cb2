"""WindowTable: one partial per pane and key, folded when runs are merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from raystream.data.segment import Segment
from raystream.state.fold import Fold
from raystream.state.keys import Hashes, Mask, Rows, continues, key_ids, same_keys
from raystream.state.run import HASH, Run, RunPolicy
from raystream.state.sorted_runs import SortedRuns, merge_order

WINDOWS = RunPolicy(ratio=64, memtable=65_536)
"""Partials are read only once, when their window closes: few merges before."""


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
        self._recent: list[pl.DataFrame] = []
        self._recent_rows = 0

    def __len__(self) -> int:
        """Rows held, folded or not."""
        return self._recent_rows + super().__len__()

    def size_bytes(self) -> int:
        """Memory of the rows held, as Polars estimates it."""
        recent = sum(frame.estimated_size() for frame in self._recent)
        return int(recent) + super().size_bytes()

    def append(self, partials: pl.DataFrame) -> None:
        """Add partials; sorted when they fill the smallest run, or are read."""
        if partials.height:
            self._recent.append(partials.select(*self.schema))
            self._recent_rows += partials.height
        if self._recent_rows >= self._policy.memtable:
            self.flush()

    def flush(self) -> None:
        """Sort the rows added last."""
        if self._recent:
            frame = pl.concat(self._recent, rechunk=True)
            self._recent, self._recent_rows = [], 0
            run = self._sorted(frame)
            self._add(run if run.starts is None else self._folded(run))

    def select(self, low: int, high: int) -> pl.DataFrame:
        """The partials of panes low <= pane < high, one per pane and key."""
        self.flush()
        low = low if self.horizon is None else max(low, self.horizon)
        parts = [part for run in self.runs if (part := run.between(low, high)) is not None]
        if not parts:
            return pl.DataFrame(schema=self.schema)
        run = parts[0] if len(parts) == 1 else self._reduced(parts, whole=False)
        return run.frame.select(*self.schema)

    def forget(self, horizon: int) -> None:
        """Drop smaller panes; a snapshot may contain them, so repeat it after a restore."""
        self.flush()
        super().forget(horizon)

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
        order = merge_order(hashes, panes)
        return self._of_groups(frame, order, hashes[order], panes[order])

    def _folded(self, run: Run) -> Run:
        return self._of_groups(run.frame, np.arange(run.rows), run.hashes, run.bucket_of_rows())

    def _of_groups(self, frame: pl.DataFrame, order: Rows, hashes: Hashes, panes: Rows) -> Run:
        """Fold rows that are in the order of (pane, hash)."""
        same = continues(hashes, panes)
        if not same.any():
            return Run.of(frame[order], hashes, panes)
        begins = np.append(np.True_, ~same)
        again, keys = np.flatnonzero(same), frame.select(self.keys)
        if not same_keys(keys[order[again]], keys[order[again + 1]], self.keys).all():
            order, begins = self._told_apart(keys, order, hashes, panes)
            hashes, panes = frame[HASH].to_numpy()[order], frame[self._pane].to_numpy()[order]
        first = frame.select(*self.keys, self._pane, HASH)[order[begins]]
        rows = first.hstack(self._fold(frame, order, begins)).select(frame.columns)
        return Run.of(rows, hashes[begins], panes[begins])

    def _told_apart(
        self, keys: pl.DataFrame, order: Rows, hashes: Hashes, panes: Rows
    ) -> tuple[Rows, Mask]:
        """Two keys have the same hash: order by exact key within it; returns where keys begin."""
        ids = key_ids(keys[order], self.keys)
        by = np.lexsort((ids, hashes, panes))
        ids, panes = ids[by], panes[by]
        begins = np.ones(len(by), np.bool_)
        begins[1:] = (ids[1:] != ids[:-1]) | (panes[1:] != panes[:-1])
        return order[by], begins
