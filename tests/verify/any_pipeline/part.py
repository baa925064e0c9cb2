"""A pipeline that is under way: its last stream, and what is known of that."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

import raystream as rs
from raystream.data.schema import Schema
from raystream.graph.logical import Edge, LogicalGraph
from raystream.plan.schemas import graph_outputs
from tests.verify.any_pipeline.rows import ODD_TYPES, PLAIN_TYPES, Row, some_rows

SOURCES = 3


class DoesNotFit(Exception):  # noqa: N818 - no error: another step is tried
    """A verb has no columns here that it could work on."""


def schemas(graph: LogicalGraph) -> dict[Edge, Schema]:
    """Columns of every output; all sources here declare theirs."""
    reads: dict[int, Schema] = {}
    for node in graph.nodes:
        step: Any = node.step
        if step.source is not None:
            reads[node.id] = step.schema
    return graph_outputs(graph.nodes, reads)


@dataclass
class Making:
    """What all parts of a pipeline share: chance, names that are new, rows of the sources."""

    chance: random.Random
    pipeline: rs.Pipeline
    rows: dict[str, list[Row]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    def new(self, letter: str) -> str:
        """A name that no column has."""
        return f"{letter}{next(self.numbers)}"

    def source(self) -> Part:
        """A further source."""
        if len(self.rows) == SOURCES:
            raise DoesNotFit
        number = len(self.rows)
        odd = [name for name in ODD_TYPES if self.chance.random() < 1 / 3]
        types = {**PLAIN_TYPES, **{name: ODD_TYPES[name] for name in odd}}
        name = f"source{number}"
        topic = rs.Kafka("kafka:9092").topic(name)
        self.rows[name] = some_rows(self.chance, self.chance.choice([0, 3, 40, 90]), number, odd)
        self.written.append(f"read {name}: {len(self.rows[name])} rows")
        awake = rs.Watermark(idle_timeout=None)  # several pauses are longer than a source may rest
        read = self.pipeline.read(topic, event_time="at", watermark=awake, schema=types, name=name)
        return Part(self, read)


@dataclass
class Part:
    """A stream.

    Args:
        making: The pipeline.
        stream: Its last step.
        ordered: No two rows have the same event time, so that first and last are certain.
        timely: No row may be late for a window: those of a global window may come much later.
    """

    making: Making
    stream: Any
    ordered: bool = True
    timely: bool = True

    @property
    def schema(self) -> Schema:
        """Its columns, as the plan sees them."""
        graph = self.making.pipeline.graph()
        return schemas(graph)[self.stream._edge]

    @property
    def changes(self) -> bool:
        """Whether rows change earlier ones."""
        return self.schema.changes is not None

    def of(self, *types: type[pl.DataType] | pl.DataType) -> list[str]:
        """Columns of these types."""
        return [name for name, kind in self.schema.columns.items() if kind in types]

    def any_of(self, *types: type[pl.DataType] | pl.DataType) -> str:
        """A column of one of these types."""
        return self.choice(self.of(*types))

    def choice(self, names: Sequence[Any]) -> Any:
        """One of them, if there are any."""
        if not names:
            raise DoesNotFit
        return self.making.chance.choice(names)

    def keys(self) -> list[str]:
        """One or two columns that may be a key."""
        not_keys = (pl.Float64, pl.List, pl.Struct)
        columns = self.schema.columns.items()
        fit = [n for n, kind in columns if kind not in not_keys and n not in ("at", "id")]
        return self.making.chance.sample(fit, min(len(fit), self.choice([1, 1, 2]))) or self.choice(
            ()
        )

    def then(self, written: str, stream: Any, *, ordered: bool | None = None) -> Part:
        """The next one."""
        self.making.written.append(written)
        ordered = self.ordered if ordered is None else ordered
        return Part(self.making, stream, ordered, self.timely)

    def append_only(self) -> None:
        """For verbs that do not take changes."""
        if self.changes:
            raise DoesNotFit

    def without(self, *names: str) -> None:
        """For verbs that add columns of these names."""
        if set(names) & set(self.schema.columns):
            raise DoesNotFit

    def with_id(self) -> None:
        """For verbs that order rows by a column without equal values."""
        if "id" not in self.of(pl.Int64):
            raise DoesNotFit

    def by_time(self) -> None:
        """For verbs that wait for the watermark."""
        self.append_only()
        if not self.timely:
            raise DoesNotFit

    def certain(self) -> None:
        """For verbs whose answer depends on the order of event time."""
        self.append_only()
        if not self.ordered:
            raise DoesNotFit
