"""The physical plan: chains, their subtasks, and the exchanges between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from raystream.connectors.base import ReadOptions, WriteOptions
from raystream.data.schema import Schema
from raystream.graph.logical import Origin
from raystream.ids import ChannelId, StepName, SubtaskId
from raystream.operators.step import Step


class ExchangeKind(StrEnum):
    """How rows are distributed to subtasks."""

    FORWARD = "forward"
    HASH = "hash"
    REBALANCE = "rebalance"
    BROADCAST = "broadcast"


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step as it will run: its value, its schemas, the options of a Read or Write.

    `also`: names of further steps of the user whose rows leave it, too.
    """

    name: StepName
    step: Step
    inputs: tuple[Schema, ...]
    output: Schema
    origin: Origin
    read: ReadOptions | None = None
    write: WriteOptions | None = None
    also: tuple[StepName, ...] = ()


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """Steps fused into one subtask, first to last; the first may be a Read, the last a Write."""

    name: str
    steps: tuple[StepSpec, ...]
    parallelism: int

    @property
    def source(self) -> StepSpec | None:
        """The Read that feeds this chain, if it is a source chain."""
        return self.steps[0] if self.steps[0].step.source is not None else None

    @property
    def sink(self) -> StepSpec | None:
        """The Write that ends this chain, if any."""
        return self.steps[-1] if self.steps[-1].step.sink is not None else None

    def subtasks(self) -> list[SubtaskId]:
        """Ids of its subtasks."""
        return [SubtaskId(self.name, index) for index in range(self.parallelism)]


@dataclass(frozen=True, slots=True)
class ExchangeSpec:
    """Output `tag` (main, late, errors) of `source_step` in chain `source` feeds chain `target`.

    `port` is the number of the input of the target's first step.
    """

    id: int
    source: str
    source_step: StepName
    tag: str
    target: str
    kind: ExchangeKind
    keys: tuple[str, ...] = ()
    port: int = 0


@dataclass(frozen=True, slots=True)
class PhysicalPlan:
    """Everything that runs. Chains are in topological order."""

    chains: tuple[ChainSpec, ...]
    exchanges: tuple[ExchangeSpec, ...]

    def chain(self, name: str) -> ChainSpec:
        """The chain of this name."""
        return next(chain for chain in self.chains if chain.name == name)

    def subtasks(self) -> list[SubtaskId]:
        """All subtasks, sources first."""
        return [subtask for chain in self.chains for subtask in chain.subtasks()]

    def sources(self) -> list[SubtaskId]:
        """Subtasks in which barriers are injected."""
        return [s for chain in self.chains if chain.source for s in chain.subtasks()]

    def sinks(self) -> list[StepSpec]:
        """Every Write."""
        return [chain.sink for chain in self.chains if chain.sink is not None]

    def steps(self) -> Iterator[tuple[ChainSpec, StepSpec]]:
        """Every step with its chain."""
        return ((chain, step) for chain in self.chains for step in chain.steps)

    def inputs_of(self, chain: str) -> list[ExchangeSpec]:
        """Exchanges into a chain."""
        return [exchange for exchange in self.exchanges if exchange.target == chain]

    def outputs_of(self, chain: str) -> list[ExchangeSpec]:
        """Exchanges out of a chain."""
        return [exchange for exchange in self.exchanges if exchange.source == chain]

    def channels(self, exchange: ExchangeSpec) -> list[ChannelId]:
        """The channels of an exchange: i -> i if forward, else all to all."""
        sources = self.chain(exchange.source).subtasks()
        targets = self.chain(exchange.target).subtasks()
        if exchange.kind is ExchangeKind.FORWARD:
            pairs = list(zip(sources, targets, strict=True))
        else:
            pairs = [(source, target) for source in sources for target in targets]
        return [ChannelId(exchange.id, source, target) for source, target in pairs]

    def channels_into(self, subtask: SubtaskId) -> list[ChannelId]:
        """Every channel this subtask reads."""
        found = (c for e in self.inputs_of(subtask.chain) for c in self.channels(e))
        return [channel for channel in found if channel.target == subtask]

    def channels_out_of(self, subtask: SubtaskId) -> list[ChannelId]:
        """Every channel this subtask writes."""
        found = (c for e in self.outputs_of(subtask.chain) for c in self.channels(e))
        return [channel for channel in found if channel.source == subtask]
