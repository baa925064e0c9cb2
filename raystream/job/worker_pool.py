"""Which worker process runs which subtask: survivors keep theirs, a warm spare replaces the dead.

Decides only. The caller carries out the commands, and reports what came of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raystream.ids import SubtaskId

WorkerId = int

RESET_SECONDS = 2.0
"""Seconds for a survivor to end its last attempt."""

SPARE_SECONDS = 3.0
"""Seconds for a spare to take a subtask."""

START_SECONDS = 15.0
START_SECONDS_EACH = 1.5
"""Starting a process costs 0.7 CPU seconds; Ray starts as many at a time as there are cores."""

MOST_PATIENCE = 8
"""Times as long for one that does not start in time, at most: on a machine where everything takes
long, ending it and starting another in its place would never come to an end."""


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start a process in the background; if that fails, tell `lost`.

    Args:
        worker: Number by which it is known from now on.
        title: Title of the process.
        share: CPUs that it reserves.
    """

    worker: WorkerId
    title: str
    share: float


@dataclass(frozen=True, slots=True)
class OpenSubtask:
    """Let a worker open a subtask; tell `opened`, or `refused` if it does not within so long."""

    worker: WorkerId
    subtask: SubtaskId
    within: float


@dataclass(frozen=True, slots=True)
class LocateWorker:
    """Wait until a spare runs; tell `located`, or `lost` after these seconds."""

    worker: WorkerId
    within: float


@dataclass(frozen=True, slots=True)
class EndWorker:
    """End a process that may be dead or frozen."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class StopWorker:
    """End a process that works, at the end of the job."""

    worker: WorkerId


@dataclass(frozen=True, slots=True)
class ReleaseWorker:
    """End a process that never had a subtask."""

    worker: WorkerId


PoolCommand = StartWorker | OpenSubtask | LocateWorker | EndWorker | StopWorker | ReleaseWorker


@dataclass(slots=True)
class _Worker:
    """What is known of a process: how it got its subtask (new, spare, survivor), node, CPUs."""

    origin: str
    share: float
    node: str = ""


class WorkerPool:
    """The worker processes of a job, and the subtask of each.

    Args:
        subtasks: Number of subtasks of the job: that many processes may start at a time.

    >>> pool, read = WorkerPool(subtasks=1), SubtaskId("read", 0)
    >>> pool.start_early([read], share=0.5)
    [StartWorker(worker=0, title='read', share=0.5)]
    >>> pool.vacate([read], avoid=frozenset())
    []
    >>> pool.assign(share=0.5)
    [OpenSubtask(worker=0, subtask=SubtaskId(chain='read', index=0), within=16.5)]
    """

    def __init__(self, subtasks: int) -> None:
        self.assigned: dict[SubtaskId, WorkerId] = {}
        self.ending = False
        self._start_seconds = START_SECONDS + START_SECONDS_EACH * subtasks
        self._times = 1
        self._workers: dict[WorkerId, _Worker] = {}
        self._early: dict[SubtaskId, WorkerId] = {}
        self._spare: WorkerId | None = None
        self._wanted: tuple[SubtaskId, ...] = ()
        self._avoid: frozenset[str] = frozenset()
        self._share = 0.0
        self._next = 0

    @property
    def has_early(self) -> bool:
        """Whether processes that were started early wait for their subtasks."""
        return bool(self._early)

    @property
    def missing(self) -> int:
        """Number of wanted subtasks without a worker."""
        return len(self._wanted) - len(self.assigned)

    @property
    def _patience(self) -> float:
        return self._start_seconds * self._times

    def start_early(self, subtasks: Iterable[SubtaskId], share: float) -> list[PoolCommand]:
        """Start a process for each subtask, before it is known what they are to open."""
        commands: list[PoolCommand] = []
        for subtask in subtasks:
            self._early[subtask], start = self._start(subtask.chain, share)
            commands.append(start)
        return commands

    def vacate(self, subtasks: Sequence[SubtaskId], avoid: frozenset[str]) -> list[PoolCommand]:
        """Begin an attempt with these subtasks: end the workers that are not wanted any more.

        Args:
            subtasks: All that are to run.
            avoid: Nodes on which nothing may run.
        """
        self.ending = False
        self._wanted, self._avoid = tuple(subtasks), avoid
        unwanted = [
            subtask
            for subtask, worker in self.assigned.items()
            if subtask not in self._wanted or self._workers[worker].node in avoid
        ]
        return self.kill(unwanted)

    def assign(self, share: float) -> list[PoolCommand]:
        """Give each wanted subtask a worker.

        Args:
            share: CPUs that a new process reserves.
        """
        self._share = share
        commands: list[PoolCommand] = []
        for subtask in self._wanted:
            kept = self.assigned.get(subtask)
            if kept is None:
                commands += self._fill(subtask)
            else:
                self._workers[kept].origin = "survivor"
                commands.append(OpenSubtask(kept, subtask, RESET_SECONDS))
        return commands

    def opened(self, worker: WorkerId, node: str) -> None:
        """A worker has opened its subtask on this node."""
        self._workers[worker].node = node

    def refused(self, subtask: SubtaskId, *, in_time: bool) -> list[PoolCommand]:
        """The worker of a subtask could not open it: give it another; none: the attempt failed.

        Args:
            subtask: The subtask.
            in_time: It answered; otherwise it may still wait for its CPUs.
        """
        worker = self._workers[self.assigned[subtask]]
        commands = self.kill([subtask])
        if worker.origin != "new":
            return commands + self._fill(subtask)
        if not in_time and not worker.share:
            self._times = min(2 * self._times, MOST_PATIENCE)
        if worker.share and not in_time:  # its share may not be free any more
            return commands + self._fill_new(subtask, 0.0)
        return commands

    def kill(self, subtasks: Iterable[SubtaskId]) -> list[PoolCommand]:
        """End the workers of these subtasks."""
        commands: list[PoolCommand] = []
        for subtask in subtasks:
            worker = self.assigned.pop(subtask, None)
            if worker is not None:
                del self._workers[worker]
                commands.append(EndWorker(worker))
        return commands

    def want_spare(self) -> list[PoolCommand]:
        """Keep a spare for the next failure, unless there is one or the job ends."""
        if self._spare is not None or self.ending:
            return []
        self._spare, start = self._start("spare", 0.0, "spare")
        return [start, LocateWorker(self._spare, self._patience)]

    def located(self, worker: WorkerId, node: str) -> None:
        """A spare runs on this node."""
        if worker in self._workers:
            self._workers[worker].node = node

    def lost(self, worker: WorkerId) -> list[PoolCommand]:
        """A process could not be started, or a spare does not answer."""
        if self._workers.pop(worker, None) is None:
            return []
        if self._spare == worker:
            self._spare = None
        for where in (self.assigned, self._early):
            for subtask in [s for s, w in where.items() if w == worker]:
                del where[subtask]
        return [EndWorker(worker)]

    def close(self) -> list[PoolCommand]:
        """End all."""
        assigned = set(self.assigned.values())
        commands: list[PoolCommand] = [
            StopWorker(worker) if worker in assigned else ReleaseWorker(worker)
            for worker in self._workers
        ]
        self.ending = True
        self.assigned, self._early, self._workers, self._spare = {}, {}, {}, None
        return commands

    def _fill(self, subtask: SubtaskId) -> list[PoolCommand]:
        """Give a subtask the process started for it, the spare, or a new one."""
        early = self._early.pop(subtask, None)
        if early is not None:
            return [self._open(subtask, early, self._patience)]
        spare = self._spare
        if spare is not None and self._usable(self._workers[spare].node):
            self._spare = None
            return [self._open(subtask, spare, SPARE_SECONDS)]
        return self._fill_new(subtask, self._share)

    def _usable(self, node: str) -> bool:
        return bool(node) and node not in self._avoid

    def _fill_new(self, subtask: SubtaskId, share: float) -> list[PoolCommand]:
        worker, start = self._start(subtask.chain, share)
        return [start, self._open(subtask, worker, self._patience)]

    def _open(self, subtask: SubtaskId, worker: WorkerId, within: float) -> OpenSubtask:
        self.assigned[subtask] = worker
        return OpenSubtask(worker, subtask, within)

    def _start(self, title: str, share: float, origin: str = "new") -> tuple[WorkerId, StartWorker]:
        worker, self._next = self._next, self._next + 1
        self._workers[worker] = _Worker(origin, share)
        return worker, StartWorker(worker, title, share)
