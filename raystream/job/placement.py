"""Nodes that the subtasks of a new attempt must avoid."""

from __future__ import annotations

from collections.abc import Iterable


def avoidable(suspect: Iterable[str], nodes: Iterable[str]) -> frozenset[str]:
    """The suspect nodes, or none if no other node is left to run on.

    Args:
        suspect: Nodes where subtasks died or became silent.
        nodes: Every node known to be able to run a subtask. Empty: unknown, avoid the suspects.

    >>> sorted(avoidable({"n1"}, {"n1", "n2"})), sorted(avoidable({"n1"}, {"n1"}))
    (['n1'], [])
    """
    suspected, known = frozenset(suspect), frozenset(nodes)
    return frozenset() if known and known <= suspected else suspected
