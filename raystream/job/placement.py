"""Which nodes the subtasks of a new attempt stay away from."""

from __future__ import annotations

from collections.abc import Iterable


def avoidable(suspect: Iterable[str], nodes: Iterable[str]) -> frozenset[str]:
    """The suspects, unless nobody would be left to run on: then none.

    Args:
        suspect: Nodes where subtasks died or fell silent.
        nodes: Every node known to be able to run a subtask. Empty: unknown, avoid the suspects.

    >>> sorted(avoidable({"n1"}, {"n1", "n2"})), sorted(avoidable({"n1"}, {"n1"}))
    (['n1'], [])
    """
    suspected, known = frozenset(suspect), frozenset(nodes)
    return frozenset() if known and known <= suspected else suspected
