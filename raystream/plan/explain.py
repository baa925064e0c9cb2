"""A plan for people: chains, subtasks and exchanges, as text or as a mermaid graph."""

from __future__ import annotations

from typing import Any

from raystream.data.schema import Schema
from raystream.plan.fast_paths import fast_paths
from raystream.plan.physical import ChainSpec, ExchangeSpec, PhysicalPlan, StepSpec


def text(plan: PhysicalPlan, name: str) -> str:
    """The plan as indented text, and which fast paths it takes and misses.

    Args:
        plan: What is to run.
        name: Name of the job.
    """
    lines = [f"{name}: {len(plan.chains)} chains, {len(plan.subtasks())} subtasks"]
    for chain in plan.chains:
        lines += ["", f"chain {chain.name} x {chain.parallelism}"]
        lines += [f"  <- {_exchange(e)}" for e in plan.inputs_of(chain.name)]
        lines += [f"  {spec.name}: {_step(spec)}" for spec in chain.steps]
    if paths := fast_paths(plan):
        lines += ["", *map(str, paths)]
    return "\n".join(lines)


def document(plan: PhysicalPlan, name: str) -> dict[str, Any]:
    """The plan as JSON types: chains with their steps, exchanges, and fast paths.

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
    paths = [
        {
            "step": each.step,
            "taken": each.path.taken,
            "what": each.path.what,
            "where": each.where,
        }
        for each in fast_paths(plan)
    ]
    return {"name": name, "chains": chains, "exchanges": exchanges, "fast_paths": paths}


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
    """Description of a planned step; sources and sinks also show their columns and key."""
    does = spec.step.words()
    if spec.step.source is not None:
        columns = _columns(spec.read.schema if spec.read else spec.output)
        return f"{does}, event time {spec.step.event_time or 'of the record'}, {columns}"
    if spec.step.sink is not None:
        key = ", ".join(spec.inputs[0].key)
        return does + (f", key {key}" if key else "")
    return does + _lost_key(spec)


def _lost_key(spec: StepSpec) -> str:
    if not spec.step.keeps_records or not spec.inputs or spec.output.key:
        return ""
    keys = [schema.key for schema in spec.inputs if schema.key]
    return f", no key any more (it was {', '.join(keys[0])})" if keys else ""


def _columns(schema: Schema) -> str:
    if schema.open:
        return "columns learnt when it starts"
    return "columns " + ", ".join(f"{name} {dtype}" for name, dtype in schema.columns.items())
