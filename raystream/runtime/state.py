"""The memory for state of a subtask, and the disk behind it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from raystream.job.spec import JobSpec, OpenRequest
from raystream.state.memory import StateMemory
from raystream.storage.spill_directory import SpillDirectory, remove_leftovers

_SHARE = 0.5
"""Part of the node's memory that the state of a job takes by default."""

_LEAST = 64 << 20
_CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


class SubtaskState:
    """Counts the tables of one subtask; runs above its limit are spilled to local disk.

    Args:
        request: The subtask and its job.
    """

    def __init__(self, request: OpenRequest) -> None:
        job, me = request.job, request.subtask
        root = Path(job.state_directory) if job.state_directory else None
        remove_leftovers(root)
        self._spills = SpillDirectory(root, f"{job.name}-{me.chain}-{me.index}")
        self._memory = StateMemory(state_memory(job), self._spills.spill, self._spills.load)
        self.load = self._memory.load
        """Maps a stored segment for which there is no room in memory."""

    def bound(self, table: Any) -> None:
        """Count the memory of a table (state.sorted_runs.SortedRuns)."""
        table.bounded_by(self._memory)

    def close(self) -> None:
        """Delete what was spilled."""
        self._spills.close()


def state_memory(job: JobSpec) -> int:
    """Bytes for the state of each subtask: as configured, else its share of half of the node.

    All subtasks are counted, as they may all run on one node.
    """
    if job.state_memory is not None:
        return job.state_memory
    plan = job.plan
    subtasks = len(set(plan.subtasks()) - set(plan.sources()))
    return max(_LEAST, int(node_memory() * _SHARE / max(1, subtasks)))


def node_memory() -> int:
    """Bytes of memory of this machine, or of the container that this process runs in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUPS:
        with suppress(OSError, ValueError):  # absent, or "max"
            found = min(found, int(path.read_text()))
    return found
