"""Which share of a CPU a subtask reserves, and which nodes it stays away from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor

from raystream.ids import SubtaskId
from raystream.plan.physical import PhysicalPlan

RESOLUTION = 10_000
"""Ray counts CPUs in steps of 0.0001."""

SMALLEST = 10
"""The least share, in those steps: never 0, or Ray piles all actors on one node."""

FIRST_SMALLER = 0.9
"""Each try shrinks all shares to this part, until every subtask fits on some node."""


@dataclass(frozen=True, slots=True)
class Shares:
    """CPUs to reserve per subtask of each chain.

    Args:
        cpus: Chain -> `num_cpus` of each of its subtasks.
        full: True if one subtask of every chain together has a whole CPU; False if there were too
            few CPUs and the shares are smaller (the status says so).
    """

    cpus: Mapping[str, float]
    full: bool

    def note(self) -> str:
        """What the status says about it; empty if the shares are full."""
        return "" if self.full else "too few CPUs: subtasks share them in smaller parts"


def shares(plan: PhysicalPlan, free: Sequence[float]) -> Shares:
    """A slot as in Flink's slot sharing: subtask i of every chain together reserve 1 CPU.

    Args:
        plan: What is placed; its greatest parallelism is the number of slots.
        free: CPUs that are free, per node. Empty: unknown, take full shares.

    Returns:
        Full shares if all subtasks fit, else the greatest smaller ones that do.
    """
    part = RESOLUTION // len(plan.chains)
    nodes = [floor(cpus * RESOLUTION + 1e-6) for cpus in free]
    count = len(plan.subtasks())
    wanted = part
    while nodes and part > SMALLEST and not _fits(part, count, nodes):
        part = max(SMALLEST, floor(part * FIRST_SMALLER))
    return Shares({chain.name: part / RESOLUTION for chain in plan.chains}, part == wanted)


def _fits(part: int, count: int, nodes: Sequence[int]) -> bool:
    return sum(node // part for node in nodes) >= count


def slots(plan: PhysicalPlan) -> int:
    """CPUs the job wants: its greatest parallelism."""
    return max(chain.parallelism for chain in plan.chains)


def avoidable(suspect: Iterable[str], nodes: Iterable[str]) -> frozenset[str]:
    """The suspects, unless nobody would be left to run on: then none.

    Args:
        suspect: Nodes where subtasks died or fell silent.
        nodes: Every node known to be able to run a subtask. Empty: unknown, avoid the suspects.
    """
    suspected, known = frozenset(suspect), frozenset(nodes)
    return frozenset() if known and known <= suspected else suspected


def in_starting_order(plan: PhysicalPlan) -> list[SubtaskId]:
    """Slot by slot, sources first in each: actors created so give every slot its whole share."""
    every = enumerate(plan.chains)
    keyed = [(s.index, order, s) for order, chain in every for s in chain.subtasks()]
    return [subtask for _, _, subtask in sorted(keyed)]
