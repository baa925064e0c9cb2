"""Schemas along the graph: a misspelt column is an error at the user's line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from raystream.connectors.traits import metadata_columns
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.logical import Edge, Node
from raystream.ids import StepName
from raystream.operators.step import Step
from raystream.plan.changes import check_written

_NOTHING: Mapping[StepName, Schema] = {}

OPEN = Schema({}, open=True)
"""Columns that only the first rows reveal."""


def graph_outputs(
    nodes: Iterable[Node], reads: Mapping[int, Schema], learnt: Mapping[StepName, Schema] = _NOTHING
) -> dict[Edge, Schema]:
    """Columns of every output.

    Args:
        nodes: In topological order.
        reads: Columns of each Read by node id; missing ones are open.
        learnt: Return types of undeclared functions, by step; see `Step.typed`.

    Raises:
        ConfigurationError: a column that does not exist, or types that do not fit; names the line.
    """
    found: dict[Edge, Schema] = {}
    for node in nodes:
        mine = typed(node, learnt)
        if node.step.source is not None:
            mine = with_columns(node, reads.get(node.id, OPEN))
        outputs = node_outputs(mine, [found[edge] for edge in node.inputs])
        found.update({Edge(node.id, tag): schema for tag, schema in outputs.items()})
    return found


def node_outputs(node: Node, inputs: Sequence[Schema]) -> dict[str, Schema]:
    """Columns of the outputs of one node by tag.

    Args:
        node: A Read must carry its schema.
        inputs: Columns of its inputs, in order.

    Raises:
        ConfigurationError: as `graph_outputs`.
    """
    try:
        if node.step.sink is not None:
            check_written(node.step, inputs[0])
        return node.step.outputs(inputs)
    except ConfigurationError as error:
        raise error.placed(error.where or str(node.origin)) from None


def typed(node: Node, learnt: Mapping[StepName, Schema]) -> Node:
    """The node with the return types of its function, if they are not declared.

    Args:
        node: Any.
        learnt: By step name: all columns of a map, flat_map, map_batches; only the added ones of a
            map that adds columns; only the computed ones of a key_by.
    """
    found = learnt.get(node.name)
    step = node.step if found is None else node.step.typed(found)
    return node if step is node.step else replace(node, step=step)


def with_columns(node: Node, schema: Schema) -> Node:
    """The same read, with these columns."""
    return replace(node, step=node.step.but(schema=schema))


def read_columns(step: Step, payload: Schema) -> Schema:
    """Columns of a Read: those of the payload, and those derived from the record."""
    extra = None if payload.open else metadata_columns(step.source)
    if extra is None:
        return payload
    return Schema({**payload.columns, **extra.columns}, payload.required)
