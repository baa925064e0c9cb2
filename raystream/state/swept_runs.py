"""SweptRuns: a large table whose oldest run is cut into pieces by hash and merged piece by piece.

One merge of everything would take twice the memory of the table, hold up its rows, and make the
next checkpoint upload all of it. So from some size on the oldest run is cut into *pieces* of
disjoint ranges of the hash, and a *sweep* goes through them: it merges each piece with the rows of
its range in the younger runs of before the sweep, at the pace at which rows are added, and then
drops these runs. Leveled compaction (LevelDB's, with a pointer of its own) without levels.

A younger run stays whole until the sweep is over. Its rows in the ranges that are done are in the
pieces, too, and say the same, as a key is found in the youngest run that has it. So a snapshot
needs no word about the sweep, and after a restore another one may begin.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from raystream.data.segment import Segment
from raystream.state.keys import Hashes
from raystream.state.run import Run, RunPolicy
from raystream.state.sorted_runs import SortedRuns

_END = 1 << 64


class SweptRuns(SortedRuns):
    """Runs of a table without buckets in which the youngest run with a key has all of its rows.

    The first `_pieces` runs have disjoint, rising ranges of the hash; nothing is older than they.
    """

    def __init__(
        self, keys: Sequence[str], schema: Mapping[str, pl.DataType], prefix: str, policy: RunPolicy
    ) -> None:
        super().__init__(keys, schema, prefix, policy)
        self._pieces = 0
        self._sweeping = 0
        self._swept = 0
        self._credit = 0.0

    def restore(self, segments: Sequence[Segment], *, same_hash: bool = True) -> None:
        """Start from segments, oldest first, under their own ids; see SortedRuns."""
        super().restore(segments, same_hash=same_hash)
        self._sweeping = 0
        self._pieces = _disjoint(self.runs) if self._is_large() else min(1, len(self.runs))

    def compact(self) -> None:
        """Merge everything into one run, or into the pieces of one."""
        if not self._is_large():
            super().compact()
            self._sweeping, self._pieces = 0, min(1, len(self.runs))
            return
        self._begin_sweep()
        while self._sweeping:
            self._sweep_on()

    def _settle(self, added: int) -> None:
        if not self._pieces:
            self._pieces = 1
        if not self._is_large():
            super()._settle(added)
            self._pieces = min(1, len(self.runs))
            return
        self._merge_young()
        if not self._sweeping and self._is_due():
            self._begin_sweep()
        self._credit += added / self._policy.sweep_slack
        while self._sweeping and self._credit > 0:
            self._credit -= self._sweep_on()

    def _is_large(self) -> bool:
        """Whether it is cut; once it is, until a sweep has left one piece."""
        return self._pieces > 1 or self._sweeping > 0 or len(self) > self._cut_rows()

    def _cut_rows(self) -> int:
        """Rows of a table that is not cut: a merge of all should fit into the memory, too."""
        return min(self._policy.cut_rows, 4 * self._most_rows())

    def _piece_rows(self) -> int:
        policy = self._policy
        share = len(self) // policy.pieces
        return max(1, min(max(share, policy.cut_rows // 16), self._most_rows()))

    # --- younger runs

    def _merge_young(self) -> None:
        """Merge runs of like size that are no part of the sweep, nor large themselves."""
        while True:
            oldest = self._pieces + self._sweeping
            first = self._like_the_last(oldest, self._piece_rows() // 2)
            if first is None:
                return
            self._merge(first)

    # --- the sweep

    def _is_due(self) -> bool:
        older = sum(run.rows for run in self.runs[: self._pieces])
        younger = sum(run.rows for run in self.runs[self._pieces :])
        return younger > max(self._policy.sweep_slack * older, self._policy.memtable)

    def _begin_sweep(self) -> None:
        younger = len(self.runs) - self._pieces
        for at in reversed(range(self._pieces)):
            self.runs[at : at + 1] = self._cut(self.runs[at], 4)
        self._pieces, self._sweeping = len(self.runs) - younger, younger
        self._swept, self._credit = 0, 0.0

    def _sweep_on(self) -> int:
        """Merge the next pieces with the younger rows of their range; returns how many rows."""
        first = self._next_piece()
        end = self._with_neighbours(first)
        high = _first_hash(self.runs[end]) if end < self._pieces else _END
        young = self.runs[self._pieces : self._pieces + self._sweeping]
        parts = [part for run in young if (part := run.of_hashes(self._swept, high)).rows]
        old = self.runs[first:end]
        made = old
        if parts or len(old) > 1 or any(self._has_dead(run) for run in old):
            merged = self._reduced([*old, *parts], whole=True)
            made = [] if merged is None else self._cut(merged)
        self.runs[first:end] = made
        self._swept, self._pieces = high, self._pieces + len(made) - len(old)
        if high == _END:
            self._end_sweep()
        return 0 if made is old else sum(run.rows for run in made)

    def _end_sweep(self) -> None:
        """The younger runs of before the sweep are in the pieces."""
        del self.runs[self._pieces : self._pieces + self._sweeping]
        self._sweeping = 0
        self._pieces = self._pieces or min(1, len(self.runs))

    def _next_piece(self) -> int:
        """The first piece that the sweep has not come to."""
        return int(np.searchsorted(self._first_hashes(), np.uint64(self._swept)))

    def _with_neighbours(self, first: int) -> int:
        """End of the pieces to merge with this one: small ones are joined."""
        most, end = self._piece_rows(), first + 1
        rows = sum(run.rows for run in self.runs[first:end])
        while end < self._pieces and rows + self.runs[end].rows <= most:
            rows += self.runs[end].rows
            end += 1
        return min(end, self._pieces)

    def _first_hashes(self) -> Hashes:
        """u64[pieces]: where the pieces begin."""
        return np.array([run.hashes[0] for run in self.runs[: self._pieces]], np.uint64)

    def _cut(self, run: Run, times: int = 2) -> list[Run]:
        """The run, or pieces of it if it is so many times too large.

        All rows of a hash are in one. Pieces are uploaded again: most are cut when they are merged.
        """
        most = self._piece_rows()
        if run.rows <= times * most:
            return [run]
        parts = min(len(run.groups), -(-run.rows // most))
        edges = np.linspace(0, len(run.groups), parts + 1).astype(np.int64).tolist()
        pieces = (run.copied(low, high) for low, high in zip(edges, edges[1:], strict=False))
        return [self._memory.spilled(piece) if run.disk else piece for piece in pieces]

    @abstractmethod
    def _has_dead(self, run: Run) -> bool:
        """Whether a merge of only this run would drop rows."""


def _first_hash(run: Run) -> int:
    return int(run.hashes[0])


def _disjoint(runs: Sequence[Run]) -> int:
    """How many of the first runs have disjoint, rising ranges of the hash."""
    found = 0
    for run in runs:
        if found and run.hashes[0] <= runs[found - 1].hashes[-1]:
            break
        found += 1
    return found
