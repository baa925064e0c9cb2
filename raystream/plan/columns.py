"""Which columns the steps need of the sources, so that only those are decoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from raystream.graph.logical import Edge, Node
from raystream.graph.policies import ErrorPolicy
from raystream.operators.needs import Needed, either

_NOTHING: frozenset[str] = frozenset()


def needed_by_reads(
    nodes: tuple[Node, ...], columns: Mapping[Edge, Collection[str]]
) -> dict[int, Needed]:
    """For each Read (by node id) the columns that downstream steps need.

    Args:
        nodes: In topological order.
        columns: Columns of each output, as far as known.
    """
    asked: dict[Edge, Needed] = {}
    for node in reversed(nodes):
        mine = _of_inputs(node, asked, [columns.get(edge, ()) for edge in node.inputs])
        for edge, needed in zip(node.inputs, mine, strict=True):
            asked[edge] = either(asked.get(edge, _NOTHING), needed)
    reads = (node for node in nodes if node.step.source is not None)
    return {node.id: asked.get(Edge(node.id), _NOTHING) for node in reads}


def _of_inputs(
    node: Node, asked: Mapping[Edge, Needed], columns: list[Collection[str]]
) -> list[Needed]:
    if node.step.errors is ErrorPolicy.DLQ:
        return [None] * len(columns)  # a dead letter is the whole row
    tags = ("main", *node.step.tags())
    wanted = {tag: asked.get(Edge(node.id, tag), _NOTHING) for tag in tags}
    return node.step.needs(wanted, columns)
