"""StateMemory: how much memory the tables of one subtask take; what exceeds it goes to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from raystream.data.spilled import Load, Spill, Spilled
from raystream.state.own_bytes import own_bytes
from raystream.state.run import Run

if TYPE_CHECKING:
    from raystream.state.sorted_runs import SortedRuns


_FOR_RUNS = 0.5
"""Part of the limit that runs may take; the rest is for merging and reading them."""


class StateMemory:
    """The memory of all tables of a subtask; it belongs to the thread that processes.

    Args:
        limit: Bytes for state; None: no limit.
        spill: Writes a frame to disk.
        load: Writes a stored segment there as it is.
    """

    def __init__(
        self, limit: int | None = None, spill: Spill | None = None, load: Load | None = None
    ) -> None:
        self.limit = None if spill is None else limit
        self._spill = spill
        self._load = load
        self._tables: WeakSet[SortedRuns] = WeakSet()

    def add(self, table: SortedRuns) -> None:
        """Count a table; it calls `settle` whenever it has grown."""
        self._tables.add(table)

    def settle(self) -> None:
        """Spill the largest runs in memory until the rest fits."""
        if self.limit is None:
            return
        while self._exceeded(self.limit):
            found = [(run.memory_bytes(), table, run) for table, run in self._in_memory()]
            if not found:
                return
            _, table, run = max(found, key=lambda one: one[0])
            table.runs[table.runs.index(run)] = self.spilled(run)

    def load(self, data: bytes) -> Spilled | None:
        """Map a stored segment for which there is no room in memory; None: there is."""
        if self.limit is None or self._load is None or not self._exceeded(self.limit, len(data)):
            return None
        return self._load(data)

    def _exceeded(self, limit: int, more: int = 0) -> bool:
        used = sum(table.memory_bytes() for table in self._tables)
        return used + more > int(limit * _FOR_RUNS)

    def spilled(self, run: Run) -> Run:
        """The run with its rows on disk; without a limit, the run itself."""
        if self._spill is None or run.disk:
            return run
        found = self._spill(own_bytes(run.frame))
        buckets = None if len(run.buckets) == 1 and not run.buckets[0] else run.bucket_of_rows()
        there = Run.of(found.frame, run.hashes, buckets)
        there.id, there.disk, there.kept = run.id, max(1, found.disk), found.memory
        return there

    def _in_memory(self) -> list[tuple[SortedRuns, Run]]:
        return [(table, run) for table in self._tables for run in table.runs if not run.disk]
