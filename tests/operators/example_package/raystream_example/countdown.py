"""A source of another package: numbers downwards, in as many splits as asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.connectors.base import Chunk, ReadOptions, Run, Split
from raystream.connectors.columns import add_hidden
from raystream.context import SubtaskContext
from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class Countdown:
    """Rows n = first, first - 1, .. 1 of each split; the position is how many were read."""

    first: int
    splits: int = 1

    def discover(self, *, bounded: bool) -> list[Split]:
        """All splits, from their beginning."""
        return [Split(f"countdown/{number}", 0, self.first) for number in range(self.splits)]

    def discover_new(self, known: frozenset[str]) -> list[Split]:
        """There are never more."""
        return []

    def grows(self) -> bool:
        """There are never more."""
        return False

    def covers(self, split: str, of: str) -> bool:
        """Whether a split of an older run is one of these."""
        return split.startswith("countdown/")

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> CountdownReader:
        """For one subtask."""
        return CountdownReader(self, ctx, options)

    def learn(self) -> Schema:
        """Columns that are known without reading."""
        return Schema.of({"split": "string", "n": "int"})

    def describe(self) -> str:
        """For people."""
        return f"countdown from {self.first}"

    def max_parallelism(self) -> int:
        """One subtask per split."""
        return self.splits


class CountdownReader:
    """Gives the rows of the splits of one subtask."""

    def __init__(self, source: Countdown, ctx: SubtaskContext, options: ReadOptions) -> None:
        self._source, self._ctx, self._options = source, ctx, options
        self._read: dict[str, int] = {}

    def add(self, split: Split) -> None:
        """Begin where a checkpoint says."""
        self._read[split.id] = split.start

    def poll(self, max_rows: int) -> Chunk | None:
        """The next rows of one split."""
        for split, done in self._read.items():
            last = min(self._source.first, done + max_rows)
            if last > done:
                self._read[split] = last
                numbers = range(self._source.first - done, self._source.first - last, -1)
                frame = pl.DataFrame({"split": split, "n": pl.Series(numbers, dtype=pl.Int64)})
                now = self._ctx.clock.wall_ms()
                frame = add_hidden(frame.select(self._options.schema.names()), self._options, now)
                return Chunk(frame, (Run(split, 0, last - done, last),))
        return None

    def caught_up(self, split: str) -> bool:
        """Whether all its rows were given."""
        return self._read[split] == self._source.first

    def finished(self) -> bool:
        """Whether all are."""
        return all(self.caught_up(split) for split in self._read)

    def committed(self, positions: Mapping[str, Any]) -> None:
        """Nobody else asks where it stands."""

    def lag(self) -> Mapping[str, int]:
        """How many are left."""
        return {split: self._source.first - done for split, done in self._read.items()}

    def close(self) -> None:
        """Nothing is open."""
