"""Pipelines that the tests of the plan share."""

from __future__ import annotations

import raystream as rs
from raystream.plan.physical import PhysicalPlan, StepSpec

SCHEMA = {"ts": int, "ip": str, "path": str, "status": int, "bytes": int}
KAFKA = rs.Kafka("kafka:9092")


def reading(p: rs.Pipeline, name: str = "requests", **options: object) -> rs.Stream:
    """A declared read of a topic."""
    given = {"event_time": "ts", "schema": SCHEMA, "name": name, **options}
    return p.read(KAFKA.topic(name), **given)


def chains(plan: PhysicalPlan) -> dict[str, list[str]]:
    """Steps of each chain, by name."""
    return {chain.name: [step.name for step in chain.steps] for chain in plan.chains}


def exchanges(plan: PhysicalPlan) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    """Each exchange as (source step, tag, target chain, kind, keys)."""
    return [(e.source_step, e.tag, e.target, str(e.kind), e.keys) for e in plan.exchanges]


def step(plan: PhysicalPlan, name: str) -> StepSpec:
    """The step of this name."""
    return next(spec for _, spec in plan.steps() if spec.name == name)


def decoded(plan: PhysicalPlan, name: str = "requests") -> list[str]:
    """Columns that a read decodes."""
    read = step(plan, name).read
    assert read is not None
    return read.schema.names()
