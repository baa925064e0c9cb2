"""What a test cluster is: nodes, ports, secrets and folders, a value kept beside its data."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.support.broker.ports import HOST, free_ports

PLAN_FILE = "cluster.json"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One broker: its number (from 1), its two ports and the identity of its metadata log."""

    number: int
    client_port: int
    controller_port: int
    directory_id: str


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """A whole cluster.

    Attributes:
        directory: Folder of everything: plan, certificates, data, logs.
        cluster_id: Kafka's cluster id.
        nodes: One or three brokers, each also a controller.
        secure: SASL_SSL, SCRAM-SHA-512 and ACLs instead of plain text.
        passwords: Password per SCRAM user; empty where not secure.
        properties: Server properties that replace the defaults.
        throughput: Full JIT and a larger heap: slower to start, right for benchmarks.
    """

    directory: Path
    cluster_id: str
    nodes: tuple[NodePlan, ...]
    secure: bool = False
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    properties: dict[str, str] = field(default_factory=dict)
    throughput: bool = False

    @property
    def bootstrap(self) -> str:
        """The `host:port` of every node, with commas."""
        return ",".join(f"{HOST}:{node.client_port}" for node in self.nodes)

    @property
    def tls_directory(self) -> Path:
        """Where the certificates are."""
        return self.directory / "tls"

    def node_directory(self, node: NodePlan) -> Path:
        """Where one node keeps its data, its log and its properties."""
        return self.directory / f"node-{node.number}"


def new_plan(
    directory: Path,
    nodes: int,
    *,
    secure: bool = False,
    properties: dict[str, str] | None = None,
    throughput: bool = False,
) -> ClusterPlan:
    """Chooses ports, identities and passwords of a cluster that does not exist yet.

    Args:
        directory: Folder of the cluster.
        nodes: How many brokers.
        secure: Whether clients must log in.
        properties: Server properties that replace the defaults.
        throughput: Whether the brokers are for benchmarks.
    """
    ports = free_ports(2 * nodes)
    numbered = (
        NodePlan(number, ports[2 * number - 2], ports[2 * number - 1], kafka_uuid())
        for number in range(1, nodes + 1)
    )
    users = ("admin", "job") if secure else ()
    return ClusterPlan(
        directory=directory.absolute(),
        cluster_id=kafka_uuid(),
        nodes=tuple(numbered),
        secure=secure,
        passwords={user: secrets.token_hex(12) for user in users},
        properties=dict(properties or {}),
        throughput=throughput,
    )


def kafka_uuid() -> str:
    """A random id as Kafka writes it: 22 characters of URL-safe base64, no leading dash."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def save_plan(plan: ClusterPlan) -> None:
    """Writes the plan, readable by its owner only, since it holds passwords."""
    plan.directory.mkdir(parents=True, exist_ok=True)
    path = plan.directory / PLAN_FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(plan) | {"directory": str(plan.directory)}, indent=1))


def load_plan(directory: Path) -> ClusterPlan | None:
    """The plan of a cluster made earlier in this folder; None where there is none."""
    path = directory / PLAN_FILE
    if not path.is_file():
        return None
    data = json.loads(path.read_text())
    nodes = tuple(NodePlan(**node) for node in data.pop("nodes"))
    return ClusterPlan(**(data | {"directory": directory.absolute(), "nodes": nodes}))
