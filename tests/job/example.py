"""A small plan without operators' insides: read (2) -> count (2) -> write in the same chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raystream.connectors.base import CommitterContext
from raystream.data.schema import Schema
from raystream.graph.logical import Origin
from raystream.graph.policies import RestartStrategy
from raystream.job.spec import CheckpointSettings, JobSpec
from raystream.plan.physical import ChainSpec, ExchangeKind, ExchangeSpec, PhysicalPlan, StepSpec
from tests.steps import Drop, Read, Write

ORIGIN = Origin("job.py", 1)
EMPTY = Schema({})


@dataclass(frozen=True)
class FakeSink:
    """A sink whose committers are given by the test."""

    committers: Any = None

    def committer(self, ctx: CommitterContext) -> Any:
        return self.committers(ctx) if self.committers else None


def step(name: str, value: Any) -> StepSpec:
    return StepSpec(name, value, (), EMPTY, ORIGIN)


def plan(parallelism: int = 2, committers: Any = None) -> PhysicalPlan:
    read = ChainSpec("read", (step("read", Read(source="records")),), parallelism)
    steps = (step("count", Drop(("x",))), step("write", Write(FakeSink(committers))))
    count = ChainSpec("count", steps, parallelism)
    hashed = ExchangeSpec(0, "read", "read", "main", "count", ExchangeKind.HASH, ("ip",))
    return PhysicalPlan((read, count), (hashed,))


def spec(**changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "name": "example",
        "plan": plan(),
        "checkpoint": CheckpointSettings("memory://", interval=10.0),
        "splits": {},
        "restart": RestartStrategy(1.0, 120.0, 600.0),
    }
    return JobSpec(**{**values, **changes})
