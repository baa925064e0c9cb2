"""The logical graph: nodes, edges, and where in the user's file each was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raystream.ids import StepName

if TYPE_CHECKING:
    from raystream.operators.step import Step


@dataclass(frozen=True, slots=True)
class Origin:
    """The user's file and line (and column in YAML) where a step was written."""

    file: str
    line: int
    column: int | None = None

    def __str__(self) -> str:
        """`job.py:12` or `job.yaml:12:5`."""
        tail = f":{self.column}" if self.column is not None else ""
        return f"{self.file}:{self.line}{tail}"


@dataclass(frozen=True, slots=True)
class Edge:
    """Output `tag` (main, late, errors) of node `source`."""

    source: int
    tag: str = "main"


@dataclass(frozen=True, slots=True)
class Node:
    """One step of the user; `named` distinguishes user-given from automatic names."""

    id: int
    name: StepName
    step: Step
    origin: Origin
    inputs: tuple[Edge, ...] = ()
    parallelism: int | None = None
    named: bool = False


@dataclass(frozen=True, slots=True)
class LogicalGraph:
    """All nodes in topological order (inputs before users)."""

    name: str
    nodes: tuple[Node, ...] = field(default_factory=tuple)

    def node(self, node_id: int) -> Node:
        """The node with this id."""
        return next(node for node in self.nodes if node.id == node_id)

    def users(self, node_id: int, tag: str = "main") -> list[Node]:
        """Nodes that consume output `tag` of this node."""
        return [node for node in self.nodes if Edge(node_id, tag) in node.inputs]
