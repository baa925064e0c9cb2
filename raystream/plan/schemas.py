"""The columns along the graph: a misspelt one is an error at the user's line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.moments import Unit
from raystream.formats.rejects import DEAD_LETTER_SCHEMA
from raystream.graph.logical import Edge, Node
from raystream.graph.steps import (
    Drop,
    FlatMap,
    HasErrors,
    KeyBy,
    Map,
    MapBatches,
    Read,
    Select,
    Step,
    Union,
    WindowAggregate,
    WithEventTime,
    Write,
)
from raystream.ids import StepName
from raystream.operators.event_times import EventTimes
from raystream.operators.registry import output_schema

_NOTHING: Mapping[StepName, Schema] = {}

OPEN = Schema({}, open=True)
"""Columns that only the first rows tell."""


def graph_outputs(
    nodes: Iterable[Node], reads: Mapping[int, Schema], learnt: Mapping[StepName, Schema] = _NOTHING
) -> dict[Edge, Schema]:
    """Columns of every output.

    Args:
        nodes: In topological order.
        reads: Columns of each Read by node id; a Read that is not in it is open.
        learnt: What functions without declared columns give, by step; see `typed`.

    Raises:
        ConfigurationError: a column that does not exist, or types that do not fit; names the line.
    """
    found: dict[Edge, Schema] = {}
    for node in nodes:
        mine = typed(node, learnt)
        if isinstance(node.step, Read):
            mine = replace(node, step=replace(node.step, schema=reads.get(node.id, OPEN)))
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
        return _outputs(node.step, inputs)
    except ConfigurationError as error:
        raise error.placed(error.where or str(node.origin)) from None


def resolved_step(step: Step, inputs: Sequence[Schema]) -> Step:
    """The step with what only its input tells: the columns of a map that adds some."""
    if not isinstance(step, Map) or step.adds is None or inputs[0].open:
        return step
    if any(dtype is None for dtype in step.adds.values()):
        return step
    return replace(step, schema=Schema({**inputs[0].columns, **step.adds}))


def typed(node: Node, learnt: Mapping[StepName, Schema]) -> Node:
    """The node with the types of what its function gives, where nobody declared them.

    Args:
        node: Any.
        learnt: By step name: all columns of a map, flat_map, map_batches; those that are added of a
            map that adds columns; those that are computed of a key_by.
    """
    found = learnt.get(node.name)
    step = node.step
    if found is None:
        return node
    if isinstance(step, Map) and step.adds is not None:
        adds = {n: d if d is not None else found.columns.get(n) for n, d in step.adds.items()}
        return replace(node, step=replace(step, adds=adds))
    if isinstance(step, Map | FlatMap | MapBatches) and step.schema is None:
        return replace(node, step=replace(step, schema=found))
    if isinstance(step, KeyBy):
        return replace(node, step=replace(step, types={**found.columns, **step.types}))
    return node


def read_columns(step: Read, payload: Schema) -> Schema:
    """Columns of a Read: those of the payload, and those that its source makes of the record."""
    extra = getattr(step.source, "metadata_columns", None)
    if extra is None or payload.open:
        return payload
    return Schema({**payload.columns, **extra().columns}, payload.required)


def _outputs(step: Step, inputs: Sequence[Schema]) -> dict[str, Schema]:
    if isinstance(step, Read):
        if step.event_time is not None and not step.schema.open:
            event_times(step, step.schema)
        return {"main": step.schema, "errors": DEAD_LETTER_SCHEMA}
    found = {"main": _main(resolved_step(step, inputs), inputs)}
    if isinstance(step, WindowAggregate):
        found["late"] = inputs[0]
    if isinstance(step, HasErrors):
        found["errors"] = DEAD_LETTER_SCHEMA
    return found


def _main(step: Step, inputs: Sequence[Schema]) -> Schema:
    if isinstance(step, Write):
        return inputs[0]
    key = _key(step, inputs)
    if any(schema.open for schema in inputs):
        return _behind_open(step, key)
    found = output_schema(step, list(inputs))
    if found.open:
        return OPEN.with_key(key)
    return found.with_key(_kept(key, set(found.columns)))


def _behind_open(step: Step, key: tuple[str, ...]) -> Schema:
    if isinstance(step, Map | FlatMap | MapBatches) and step.schema is not None:
        declared: Schema = Schema.of(step.schema)
        return declared.with_key(_kept(key, set(declared.columns)))
    return OPEN.with_key(key)


def _key(step: Step, inputs: Sequence[Schema]) -> tuple[str, ...]:
    match step:
        case KeyBy(keys=keys) | WindowAggregate(keys=keys):
            return keys
        case Union():
            same = all(schema.key == inputs[0].key for schema in inputs)
            return inputs[0].key if same else ()
        case Drop(columns=dropped):
            return inputs[0].key if set(dropped).isdisjoint(inputs[0].key) else ()
        case Select(columns=columns) if not all(isinstance(c, str) for c in columns):
            names = {c if isinstance(c, str) else c.meta.output_name() for c in columns}
            return _kept(inputs[0].key, names)
        case Select(columns=columns):
            return _kept(inputs[0].key, set(columns))
        case _:
            return inputs[0].key


def _kept(key: tuple[str, ...], names: set[str]) -> tuple[str, ...]:
    return key if set(key) <= names else ()


def event_times(step: Read | WithEventTime, schema: Schema) -> EventTimes:
    """How event time is found in these columns.

    Raises:
        ConfigurationError: no such column, or it holds no times.
    """
    unit = Unit(step.event_time_unit, step.time_zone)
    return EventTimes(step.event_time, unit, schema.columns)
