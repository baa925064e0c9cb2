"""The actors of a job: created where they can run, and ended reliably."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystream.runtime.ray.main_thread import MainThread
from raystream.runtime.ray.node_table import Node, listed_nodes, taken_by_others
from raystream.runtime.ray.shares import cpu_share
from raystream.runtime.ray.subtask import GROUPS, Subtask, Whereabouts
from raystream.runtime.ray.watchdog import end_process

_ray: Any = ray  # its stubs are incomplete

_FRESH_SECONDS = 5.0
"""An actor that answered within this time is not frozen: Ray alone can end it."""


@dataclass(eq=False, slots=True)
class Worker:
    """An actor that we created.

    Args:
        handle: Its Ray handle; kept, or the actor ends.
        share: CPUs that it reserves.
        where: Node and pid, once it has reported them.
        heard: Monotonic seconds of its last answer.
    """

    handle: Any
    share: float
    where: Whereabouts | None = None
    heard: float = field(default=float("-inf"))

    @property
    def node(self) -> str:
        """Its node, empty while unknown."""
        return self.where.node if self.where is not None else ""

    def answered(self) -> None:
        """Record an answer: it is alive."""
        self.heard = time.monotonic()


class Actors:
    """Creates and ends the actors of one job. All calls come from the main thread.

    Args:
        main_thread: Waits for the tasks that end processes.
        chains: Number of chains of the plan: that many subtasks make up a slot of 1 CPU.
    """

    def __init__(self, main_thread: MainThread, chains: int) -> None:
        self.avoid: frozenset[str] = frozenset()
        self.listed: frozenset[str] = frozenset()
        self._main_thread = main_thread
        self._chains = chains
        self._here = str(ray.get_runtime_context().get_node_id())
        self._others: dict[str, float] | None = None
        self._usable: list[Node] = []
        self._created = 0

    def look(self, suspects: frozenset[str]) -> None:
        """Update the usable nodes: not the suspects, nor those that do not answer."""
        listed = listed_nodes()
        self.listed = frozenset(node.id for node in listed)
        self.avoid = suspects | {node.id for node in listed if not node.answers()}
        if self._others is None:
            self._others = taken_by_others(listed)
        self._usable = [node for node in listed if node.id not in self.avoid]

    def share(self, new: int, ours: Sequence[Worker]) -> float:
        """CPUs for each of `new` actors on the nodes seen last.

        Args:
            new: Actors about to be created.
            ours: Actors that exist and stay.
        """
        return cpu_share(self._chains, new, [self._free_on(node, ours) for node in self._usable])

    def full_share(self) -> float:
        """CPUs for each actor if there are enough CPUs."""
        return cpu_share(self._chains, 1, [1.0])

    def create(self, name: str, share: float) -> Worker:
        """Create an actor; its process starts in the background.

        Args:
            name: Title of its process.
            share: CPUs that it reserves.
        """
        options: dict[str, Any] = {
            "num_cpus": share,
            "max_restarts": 0,
            "max_task_retries": 0,
            "enable_task_events": False,
            "concurrency_groups": GROUPS,
            "scheduling_strategy": "SPREAD",
        }
        if not share and self._usable:
            # Ray spreads only actors that reserve something, and may place the others on a dead
            # node, even with a soft affinity.
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(
                self._next_node(), soft=False
            )
        elif self.avoid:
            away = ",".join(sorted(self.avoid))
            options["label_selector"] = {"ray.io/node-id": f"!in({away})"}
        named = type(name, (Subtask,), {})  # Ray shows the class as the title of the process
        return Worker(_ray.remote(**options)(named).remote(), share)

    def _next_node(self) -> str:
        nodes = [node for node in self._usable if node.cpus] or self._usable
        self._created += 1
        return nodes[self._created % len(nodes)].id

    def release(self, worker: Worker) -> None:
        """End an actor without a role; after a while Ray also ends a frozen one."""
        ray.kill(worker.handle, no_restart=True)

    def end(self, worker: Worker) -> None:
        """End a working actor through Ray, which then does not report a dead worker."""
        self.release(worker)
        if time.monotonic() - worker.heard > _FRESH_SECONDS:
            self._end_process(worker)

    def end_for_sure(self, worker: Worker) -> None:
        """End a dead or frozen actor; a stopped process outlives `ray.kill` by 5 s."""
        self.release(worker)
        self._end_process(worker)

    def _end_process(self, worker: Worker) -> None:
        if worker.where is None:
            return
        if worker.node == self._here:
            end_process(worker.where.pid)
        else:
            pinned = NodeAffinitySchedulingStrategy(worker.node, soft=False)
            task = _ray.remote(num_cpus=0, scheduling_strategy=pinned, max_retries=0)(end_process)
            self._main_thread.when(task.remote(worker.where.pid), lambda result: None)

    def _free_on(self, node: Node, ours: Sequence[Worker]) -> float:
        others = (self._others or {}).get(node.id, 0.0)
        taken = sum(worker.share for worker in ours if worker.node == node.id)
        return max(node.cpus - others - taken, 0.0)
