"""Nodes that can run processes now. Ray lists a dead node for 15 to 60 s, so we probe it."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import ray

from raystream.runtime.ray import internals

_ray: Any = ray  # its stubs are incomplete
_REACH_SECONDS = 0.3
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Node:
    """A node that Ray lists as alive; `cpus` is its total."""

    id: str
    host: str
    port: int
    cpus: float

    def answers(self) -> bool:
        """Whether its raylet accepts connections."""
        try:
            socket.create_connection((self.host, self.port), timeout=_REACH_SECONDS).close()
        except OSError:
            return False
        return True


def listed_nodes() -> list[Node]:
    """Nodes that Ray lists as alive."""
    return [
        Node(
            str(node["NodeID"]),
            str(node["NodeManagerAddress"]),
            int(node["NodeManagerPort"]),
            float(node["Resources"].get("CPU", 0.0)),
        )
        for node in _ray.nodes()
        if node["Alive"]
    ]


def listening_host(host: str, here: str, nodes: Collection[str]) -> str:
    """Address on which a subtask listens: loopback if there are no other nodes.

    Args:
        host: IP address of its node.
        here: Id of its node.
        nodes: Ids of the nodes that Ray listed at the open; empty: not known.

    >>> listening_host("10.0.0.7", "a", ["a"]), listening_host("10.0.0.7", "a", ["a", "b"])
    ('127.0.0.1', '10.0.0.7')
    """
    return _LOOPBACK if set(nodes) == {here} else host


def taken_by_others(nodes: Iterable[Node]) -> dict[str, float]:
    """CPUs in use on each node; call it before we hold any ourselves."""
    available = internals.available_resources()
    return {n.id: max(n.cpus - available.get(n.id, {}).get("CPU", 0.0), 0.0) for n in nodes}
