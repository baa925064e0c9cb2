"""Which nodes can take processes now. Ray believes in a dead node for 15 to 60 s; we ask it."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import ray

_ray: Any = ray  # its stubs are incomplete
_REACH_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Node:
    """A node that Ray lists as alive; `cpus` in all."""

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
    """What Ray lists as alive."""
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


def taken_by_others(nodes: Iterable[Node]) -> dict[str, float]:
    """CPUs that somebody holds on each node; of use before we hold any ourselves."""
    state: Any = _ray._private.state
    available: Mapping[str, Mapping[str, float]] = state.available_resources_per_node()
    return {n.id: max(n.cpus - available.get(n.id, {}).get("CPU", 0.0), 0.0) for n in nodes}
