"""Planner, from the user's graph to the physical plan: columns, rewriting, chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from raystream.connectors.base import WriteOptions
from raystream.connectors.traits import row_check
from raystream.data.batch import MESSAGE_KEY
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.logical import LogicalGraph, Node
from raystream.graph.policies import DeliveryGuarantee, ErrorPolicy
from raystream.ids import StepName
from raystream.plan.chains import physical_plan
from raystream.plan.changes import read_options, write_options
from raystream.plan.circles import check_circles
from raystream.plan.columns import needed_by_reads
from raystream.plan.fan_out import fanned_out
from raystream.plan.finality import check_final
from raystream.plan.message_keys import keyed_by_message
from raystream.plan.physical import PhysicalPlan, StepSpec
from raystream.plan.rewrite import Draft, rewrite, widths
from raystream.plan.row_order import reads_in_order
from raystream.plan.schemas import graph_outputs, read_columns, typed, with_columns


def plan(
    graph: LogicalGraph,
    default_parallelism: int,
    learnt: Mapping[StepName, Schema],
    *,
    caps: Mapping[StepName, int | None] | None = None,
    guarantee: DeliveryGuarantee = DeliveryGuarantee.EXACTLY_ONCE,
) -> PhysicalPlan:
    """The physical plan of a graph.

    Args:
        graph: The user's graph.
        default_parallelism: Subtasks of a step without an explicit parallelism.
        learnt: Columns of Reads without a declared schema, and return types of functions; a
            step that has neither is open (good for `explain`, not for a run).
        caps: How many subtasks of a Read can have work.
        guarantee: Delivery guarantee of sinks.

    Raises:
        ConfigurationError: no sink, unconsumed dead letters, a column that does not exist.
    """
    nodes = _used(graph)
    _check_dead_letters(graph)
    check_final(nodes)
    check_circles(nodes)
    reads = _read_schemas(nodes, learnt)
    nodes = tuple(typed(node, learnt) for node in nodes)
    everything = graph_outputs(nodes, reads)
    names = {edge: schema.names() for edge, schema in everything.items()}
    needed = needed_by_reads(nodes, names)
    narrow = {
        node: schema if needed[node] is None else _projected(schema, needed[node] or frozenset())
        for node, schema in reads.items()
    }
    for node in nodes:
        if node.step.source is not None:
            narrow[node.id] = _with_own(narrow[node.id], reads[node.id], node)
    schemas = graph_outputs(nodes, narrow)
    kept = tuple(_with_schema(node, reads) for node in nodes)
    drafts = fanned_out(rewrite(kept, schemas, widths(nodes, default_parallelism, caps or {})))
    return _physical(drafts, guarantee)


def reads_to_learn(graph: LogicalGraph) -> list[Node]:
    """Reads without declared columns."""
    return [node for node in reads(graph) if node.step.untyped()]


def reads(graph: LogicalGraph) -> list[Node]:
    """Every Read that leads to a Write."""
    return [node for node in _used(graph) if node.step.source is not None]


def used(graph: LogicalGraph) -> tuple[Node, ...]:
    """Nodes that lead to a Write, in topological order."""
    return _used(graph)


def writes(graph: LogicalGraph) -> list[Node]:
    """Every Write."""
    return [node for node in graph.nodes if node.step.sink is not None]


def _used(graph: LogicalGraph) -> tuple[Node, ...]:
    """Nodes that lead to a Write."""
    used = {node.id for node in writes(graph)}
    if not used:
        text = f"pipeline {graph.name!r} writes nothing"
        raise ConfigurationError(text, what_to_do="end it with .write(..)")
    for node in reversed(graph.nodes):
        if node.id in used:
            used |= {edge.source for edge in node.inputs}
    return tuple(node for node in graph.nodes if node.id in used)


def _check_dead_letters(graph: LogicalGraph) -> None:
    for node in graph.nodes:
        if node.step.errors is not ErrorPolicy.DLQ:
            continue
        if not graph.users(node.id, "errors"):
            verb = "step" if node.step.source is None else "read"
            text = f'{verb} {node.name!r} has errors="dlq", but its .errors go nowhere'
            advice = "write rows = p.read(..), then rows.errors.write(..)"
            if verb == "step":
                advice = "keep the stream it gives: rows = .., then rows.errors.write(..)"
            raise ConfigurationError(text, str(node.origin), advice)


def _read_schemas(nodes: tuple[Node, ...], learnt: Mapping[StepName, Schema]) -> dict[int, Schema]:
    found = {}
    for node in nodes:
        if node.step.source is not None:
            known = node.step.schema or learnt.get(node.name) or Schema({}, open=True)
            found[node.id] = read_columns(node.step, known)
    return found


def _projected(schema: Schema, names: frozenset[str]) -> Schema:
    """Needed columns, or one if none is needed: rows must still be counted."""
    wanted = names & set(schema.columns)
    if not wanted and schema.columns:
        wanted = frozenset(schema.names()[:1])
    return schema if schema.open else schema.project(wanted)


def _with_own(narrow: Schema, full: Schema, node: Node) -> Schema:
    """Add the columns that the source step itself needs."""
    own = node.step.own_needs(full)
    return full.project({*narrow.columns, *own}) if own else narrow


def _with_schema(node: Node, reads: Mapping[int, Schema]) -> Node:
    """A Read keeps all declared or learnt columns: they are stored with the checkpoint."""
    return node if node.step.source is None else with_columns(node, reads[node.id])


def _physical(drafts: list[Draft], guarantee: DeliveryGuarantee) -> PhysicalPlan:
    by_message = keyed_by_message(drafts)
    ordered = [_in_key_order(draft, drafts, by_message) for draft in drafts]
    placed = reads_in_order(drafts)
    specs = {
        d.name: _spec(d, guarantee, d.name in by_message, row_order=d.name in placed)
        for d in ordered
    }
    return physical_plan(ordered, specs)


def _in_key_order(draft: Draft, drafts: list[Draft], by_message: frozenset[StepName]) -> Draft:
    """Keep the order of message keys in a sink that passes them on at another parallelism."""
    if draft.name not in by_message or not draft.links:
        return draft
    link = draft.links[0]
    source = next(d for d in drafts if d.name == link.source)
    if source.parallelism == draft.parallelism or link.keys is not None:
        return draft
    return replace(draft, links=(replace(link, keys=(MESSAGE_KEY,)),))


def _spec(
    draft: Draft, guarantee: DeliveryGuarantee, message_key: bool, *, row_order: bool
) -> StepSpec:
    read = write = None
    step = draft.step
    if step.source is not None:
        record = {} if step.schema is None else step.schema.columns
        read = replace(
            read_options(step, draft.output),
            message_key=message_key,
            row_order=row_order,
            record=record,
        )
    if step.sink is not None:
        kept = write_options(step, draft.inputs[0])
        write = replace(kept, message_key=message_key, guarantee=str(guarantee))
        _check_rows(draft, write)
    columns = (draft.inputs, draft.output)
    return StepSpec(draft.name, step, *columns, draft.origin, read, write, draft.also)


def _check_rows(draft: Draft, options: WriteOptions) -> None:
    """Refuse what a sink cannot write before anything runs, if the columns are known."""
    check = row_check(draft.step.sink)
    if check is None or options.schema.open:
        return
    try:
        check(options)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, str(draft.origin), error.what_to_do) from None
