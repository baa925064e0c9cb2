"""Generated events as a source, and a sink that forgets its rows: what the engine alone costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from events import SCHEMAS
from generator import EPOCH, OF_EPOCH, Generator

from raystream.checkpoint.records import Committable
from raystream.connectors.base import (
    Chunk,
    CommitterContext,
    Position,
    ReadOptions,
    Run,
    Split,
    WriteOptions,
)
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.ids import SplitId, StepName

AHEAD = 23_000
"""Rows that are made at once, or those of an epoch: a call costs as much as some hundred rows."""


@dataclass(frozen=True, slots=True)
class Generated:
    """Events of one kind of a stream.

    Args:
        kind: `person`, `auction` or `bid`.
        events: How many events of all kinds the stream has.
        partitions: Number of splits; epochs go to them in turn.
        per_second: Events per second of event time.
    """

    kind: str
    events: int
    partitions: int = 4
    per_second: int = 10_000

    def discover(self, *, bounded: bool) -> list[Split]:
        """One split per partition; positions are epochs of the split."""
        epochs = range(self.events // EPOCH)
        return [
            Split(f"{self.kind}/{p}", 0, len(epochs[p :: self.partitions]))
            for p in range(self.partitions)
        ]

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """None: their number is fixed."""
        return []

    def grows(self) -> bool:
        """No."""
        return False

    def covers(self, split: SplitId, of: str) -> bool:
        """Every split of the same events."""
        return of in ("", self.describe())

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> GeneratedReader:
        """A reader for one subtask."""
        return GeneratedReader(self, options)

    def learn(self) -> Schema | None:
        """The columns, known without reading."""
        return Schema.of(SCHEMAS[self.kind])

    def describe(self) -> str:
        """For people."""
        return f"{self.events} events of nexmark, kind {self.kind}"

    def max_parallelism(self) -> int | None:
        """One subtask per partition."""
        return self.partitions


class GeneratedReader:
    """Makes the events of the splits of one subtask, the split that is behind first."""

    def __init__(self, source: Generated, options: ReadOptions) -> None:
        self._source = source
        self._options = options
        self._generator = Generator(source.per_second)
        self._next: dict[SplitId, int] = {}
        self._ends: dict[SplitId, int] = {}
        self._made: dict[SplitId, tuple[int, int, pl.DataFrame]] = {}

    def add(self, split: Split) -> None:
        """Start at this epoch."""
        self._next[split.id] = split.start
        self._ends[split.id] = split.end or 0

    def poll(self, max_rows: int) -> Chunk | None:
        """Rows of whole epochs; more than `max_rows` only if that is less than one epoch."""
        left = [split for split, done in self._next.items() if done < self._ends[split]]
        if not left:
            return None
        split = min(left, key=self._next.__getitem__)
        each = OF_EPOCH[self._source.kind][1]
        first = self._next[split]
        last = self._next[split] = min(first + max(1, max_rows // each), self._ends[split])
        begun, made = self._made_until(split, first, last)
        frame = made[(first - begun) * each : (last - begun) * each]
        return Chunk(frame, (Run(split, 0, frame.height, last),))

    def _made_until(self, split: SplitId, first: int, last: int) -> tuple[int, pl.DataFrame]:
        """Rows of epochs that hold these, and the first of them; many are made at once."""
        begun, until, made = self._made.get(split, (0, 0, pl.DataFrame()))
        if begun <= first and last <= until:
            return begun, made
        ahead = AHEAD // OF_EPOCH[self._source.kind][1]
        until = max(last, min(first + ahead, self._ends[split]))
        numbers = np.arange(first, until, dtype=np.int64) * self._source.partitions
        numbers += int(split.rpartition("/")[2])
        made = self._generator.frame(self._source.kind, numbers, self._options.schema.columns)
        self._made[split] = first, until, made
        return first, made

    def caught_up(self, split: SplitId) -> bool:
        """Whether every event was made."""
        return self._next[split] >= self._ends[split]

    def finished(self) -> bool:
        """Whether every split is at its end."""
        return all(done >= self._ends[split] for split, done in self._next.items())

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Nobody else wants to know."""

    def lag(self) -> Mapping[SplitId, int]:
        """Epochs that are left."""
        return {split: self._ends[split] - done for split, done in self._next.items()}

    def close(self) -> None:
        """There is nothing to release."""


@dataclass(frozen=True, slots=True)
class Blackhole:
    """A sink that takes every row and keeps none."""

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """There are no warnings."""
        return []

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> BlackholeWriter:
        """A writer for one subtask."""
        return BlackholeWriter()

    @property
    def takes_upserts(self) -> bool:
        """It takes all rows alike."""
        return True

    @property
    def is_steady(self) -> bool:
        """It forgets any number of rows at once."""
        return True

    def committer(self, ctx: CommitterContext) -> None:
        """There is no second phase."""

    def describe(self) -> str:
        """For people."""
        return "blackhole"


class BlackholeWriter:
    """Forgets the rows."""

    def write(self, frame: pl.DataFrame) -> None:
        """Take them."""

    def has_room(self) -> bool:
        """Always."""
        return True

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Nothing was written."""
        done: Future[Committable | None] = Future()
        done.set_result(None)
        return done

    def committed(self, checkpoint: int) -> None:
        """Nothing to do."""

    def poll(self, now: float) -> float | None:
        """Nothing to do."""
        return None

    def oldest_transaction_age_s(self) -> float:
        """There is none."""
        return 0.0

    def transactions(self) -> Sequence[Any]:
        """There are none."""
        return ()

    def close(self) -> None:
        """Nothing to release."""
