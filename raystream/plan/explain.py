"""A plan for people: chains, subtasks and exchanges, as text or as a mermaid graph."""

from __future__ import annotations

from typing import Any

from raystream.data.schema import Schema
from raystream.graph.steps import (
    Drop,
    Filter,
    FilterRows,
    FlatMap,
    KeyBy,
    Map,
    Read,
    RowFunctions,
    Select,
    Step,
    WindowAggregate,
    WindowGlobal,
    WindowLocal,
    WithColumns,
    WithEventTime,
    Write,
)
from raystream.graph.windows import Cumulative, Hopping, Window
from raystream.plan.physical import ChainSpec, ExchangeSpec, PhysicalPlan, StepSpec


def text(plan: PhysicalPlan, name: str) -> str:
    """The plan as indented text.

    Args:
        plan: What is to run.
        name: Name of the job.
    """
    lines = [f"{name}: {len(plan.chains)} chains, {len(plan.subtasks())} subtasks"]
    for chain in plan.chains:
        lines += ["", f"chain {chain.name} x {chain.parallelism}"]
        lines += [f"  <- {_exchange(e)}" for e in plan.inputs_of(chain.name)]
        lines += [f"  {spec.name}: {_step(spec)}" for spec in chain.steps]
    return "\n".join(lines)


def document(plan: PhysicalPlan, name: str) -> dict[str, Any]:
    """The plan as JSON types: chains with their steps, and exchanges.

    Args:
        plan: What is to run.
        name: Name of the job.
    """
    chains = [
        {
            "name": chain.name,
            "parallelism": chain.parallelism,
            "steps": [{"name": spec.name, "does": _step(spec)} for spec in chain.steps],
        }
        for chain in plan.chains
    ]
    exchanges = [
        {
            "from": exchange.source,
            "step": exchange.source_step,
            "output": exchange.tag,
            "to": exchange.target,
            "kind": str(exchange.kind),
            "keys": list(exchange.keys),
        }
        for exchange in plan.exchanges
    ]
    return {"name": name, "chains": chains, "exchanges": exchanges}


def mermaid(plan: PhysicalPlan) -> str:
    """The plan as a mermaid flowchart."""
    lines = ["flowchart LR"]
    ids = {chain.name: f"c{number}" for number, chain in enumerate(plan.chains)}
    lines += [f'  {ids[chain.name]}["{_box(chain)}"]' for chain in plan.chains]
    lines += [
        f'  {ids[e.source]} -- "{_kind(e)}{_tag(e)}" --> {ids[e.target]}' for e in plan.exchanges
    ]
    return "\n".join(lines)


def _box(chain: ChainSpec) -> str:
    steps = "<br/>".join(spec.name for spec in chain.steps)
    return f"{chain.name} x {chain.parallelism}<br/>{steps}"


def _exchange(exchange: ExchangeSpec) -> str:
    return f"{_kind(exchange)} from {exchange.source_step}{_tag(exchange)}"


def _kind(exchange: ExchangeSpec) -> str:
    return f"{exchange.kind}({', '.join(exchange.keys)})" if exchange.keys else str(exchange.kind)


def _tag(exchange: ExchangeSpec) -> str:
    return "" if exchange.tag == "main" else f".{exchange.tag}"


def _step(spec: StepSpec) -> str:
    """What a planned step does; ends also tell their columns and key."""
    match spec.step:
        case Read(source=source, event_time=time):
            columns = _columns(spec.read.schema if spec.read else spec.output)
            return f"read {source.describe()}, event time {time or 'of the record'}, {columns}"
        case Write(sink=sink):
            key = ", ".join(spec.inputs[0].key)
            return f"write {sink.describe()}" + (f", key {key}" if key else "")
        case step:
            return words(step) + _lost_key(spec)


def _lost_key(spec: StepSpec) -> str:
    if isinstance(spec.step, WindowGlobal | WindowLocal) or not spec.inputs or spec.output.key:
        return ""
    keys = [schema.key for schema in spec.inputs if schema.key]
    return f", no key any more (it was {', '.join(keys[0])})" if keys else ""


def words(step: Step) -> str:
    """What a step does, in a few words.

    >>> words(Filter("status >= 400"))
    'filter status >= 400'
    """
    match step:
        case Read(source=source):
            return f"read {source.describe()}"
        case Write(sink=sink):
            return f"write {sink.describe()}"
        case Filter(condition=condition):
            return f"filter {condition}"
        case Select(columns=columns):
            return f"select {', '.join(str(column) for column in columns)}"
        case WithColumns(columns=made):
            return "with " + ", ".join(f"{name} = {value}" for name, value in made.items())
        case WithEventTime(event_time=time):
            return f"event time {time}"
        case Drop(columns=dropped):
            return f"drop {', '.join(dropped)}"
        case KeyBy(keys=keys):
            return f"key by {', '.join(keys)}" if keys else "no key"
        case Map() | FlatMap() | FilterRows():
            return _function(step)
        case RowFunctions(functions=functions):
            return "rows: " + ", ".join(_function(f) for f in functions)
        case WindowLocal():
            return "partial aggregates"
        case WindowAggregate():
            return _aggregation(step)
        case WindowGlobal(aggregate=aggregate, pre_aggregated=merged):
            return _aggregation(aggregate) + (", of partial aggregates" if merged else "")
        case _:
            return type(step).__name__.lower()


def _columns(schema: Schema) -> str:
    if schema.open:
        return "columns learnt when it starts"
    return "columns " + ", ".join(f"{name} {dtype}" for name, dtype in schema.columns.items())


def _function(step: object) -> str:
    kind = {"Map": "map", "FlatMap": "flat_map", "FilterRows": "filter"}[type(step).__name__]
    function = getattr(step, "function", None)
    described = getattr(function, "described", "")
    if described:
        return str(described)
    named = getattr(function, "__name__", type(function).__name__)
    return f"{kind} {named.replace('<lambda>', 'lambda')}"


def _aggregation(step: WindowAggregate) -> str:
    columns = ", ".join(f"{name} = {a.kind}" for name, a in step.aggregates.items())
    keys = f" by {', '.join(step.keys)}" if step.keys else ""
    return f"{_window(step.window)}{keys}: {columns}"


def _window(window: Window) -> str:
    at = f" from {window.offset_ms} ms" if window.offset_ms else ""
    at += f" by the clocks of {window.time_zone}" if window.time_zone else ""
    match window:
        case Hopping(size_ms=size, slide_ms=slide):
            return f"hopping {_duration(size)} every {_duration(slide)}{at}"
        case Cumulative(max_size_ms=size, step_ms=step):
            return f"cumulative {_duration(size)} by {_duration(step)}{at}"
        case _:
            return f"tumbling {_duration(window.size_ms)}{at}"


def _duration(ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"
