"""Rows generated from a seed: the same rows in every run, at a given rate."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from raystream.connectors.base import (
    Chunk,
    Position,
    ReadOptions,
    Run,
    SourceReader,
    Split,
)
from raystream.connectors.columns import add_hidden
from raystream.context import SubtaskContext
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.ids import SplitId

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Words = NDArray[np.uint64]  # code that only names this source does not wait 80 ms for numpy

DEFAULT_SCHEMA: Mapping[str, Any] = {"ts": "int", "key": "string", "value": "int"}


@dataclass(frozen=True, slots=True)
class Datagen:
    """Source of generated rows, each a function of (seed, partition, row number) alone.

    Integers and the numbers in strings (`key-17`) are uniform below `cardinality`, floats uniform
    in [0, 1). The column that the job reads event time from (and the column `ts`) increases
    evenly from `start_ms`, at the rate.

    Args:
        rate: Rows per second over all partitions; None: as fast as they are read, with event
            time as for 1,000 rows per second.
        seed: Different seeds give different rows.
        schema: Columns as in any declared schema; default `ts: int, key: string, value: int`.
        rows: Total number of rows; None: unbounded.
        partitions: Number of splits.
        cardinality: Number of distinct values of a column.
        start_ms: Event time of the first row, epoch ms.

    >>> rows = rs.Pipeline("example").read(Datagen(rows=3, cardinality=10))
    >>> rows.collect()["ts"].to_list()
    [1700000000000, 1700000000001, 1700000000002]
    """

    rate: float | None = 1000.0
    seed: int = 0
    schema: Any = None
    rows: int | None = None
    partitions: int = 1
    cardinality: int = 1000
    start_ms: int = 1_700_000_000_000

    @property
    def _schema(self) -> Schema:
        return Schema.of(DEFAULT_SCHEMA if self.schema is None else self.schema)

    def discover(self, *, bounded: bool) -> list[Split]:
        """One split per partition.

        Raises:
            ConfigurationError: A bounded run of unbounded rows.
        """
        if bounded and self.rows is None:
            what = "rows without end have no latest one"
            raise ConfigurationError(what, "datagen", "give Datagen rows=, or run without until=")
        return [Split(f"datagen/{p}", 0, self._count(p)) for p in range(self.partitions)]

    def _count(self, partition: int) -> int | None:
        if self.rows is None:
            return None
        return len(range(partition, self.rows, self.partitions))

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Return none: the number of partitions is fixed."""
        return []

    def grows(self) -> bool:
        """Return False: the number of partitions is fixed."""
        return False

    def covers(self, split: SplitId, of: str) -> bool:
        """Return True for every split."""
        return of in ("", self.describe())

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        return DatagenReader(self, ctx, options)

    def learn(self) -> Schema | None:
        """The schema, known without reading."""
        return self._schema

    def describe(self) -> str:
        """For people."""
        return "made-up rows"

    def max_parallelism(self) -> int | None:
        """One subtask per partition."""
        return self.partitions

    def frame(self, partition: int, first: int, last: int, options: ReadOptions) -> pl.DataFrame:
        """Rows first .. last - 1 of a partition, with hidden columns."""
        import numpy as np

        numbers = np.arange(first, last, dtype=np.uint64)
        time = self._time(partition, numbers)
        columns = [
            time.alias(name)
            if name in (options.event_time, "ts")
            else self._column(partition, name, kind, numbers)
            for name, kind in options.schema.columns.items()
        ]
        frame = add_hidden(pl.DataFrame(columns), options, self.start_ms)
        return frame if options.event_time else frame.with_columns(time.alias(TIME))

    def _time(self, partition: int, numbers: Words) -> pl.Series:
        import numpy as np

        global_number = numbers.astype(np.float64) * self.partitions + partition
        milliseconds = global_number * 1000.0 / (self.rate or 1000.0)
        return pl.Series("time", milliseconds.astype(np.int64) + self.start_ms)

    def _column(self, partition: int, name: str, kind: pl.DataType, numbers: Words) -> pl.Series:
        bits = _mix(numbers, zlib.crc32(f"{self.seed}/{partition}/{name}".encode()))
        for fits, make in _MAKERS:
            if fits(kind):
                return make(name, bits, self.cardinality).cast(kind)
        what = f"column {name!r}: cannot make up {kind}"
        raise ConfigurationError(what, "datagen", "use int, float, string or bool")


class DatagenReader:
    """Generates the rows of one subtask's partitions, at most at the rate."""

    def __init__(self, source: Datagen, ctx: SubtaskContext, options: ReadOptions) -> None:
        self._source = source
        self._ctx = ctx
        self._options = options
        self._next: dict[SplitId, int] = {}
        self._first: dict[SplitId, int] = {}
        self._ends: dict[SplitId, int | None] = {}
        self._opened = ctx.clock.now()

    def add(self, split: Split) -> None:
        """Start at this row; the rate counts from here."""
        self._next[split.id] = self._first[split.id] = split.start
        self._ends[split.id] = split.end

    def poll(self, max_rows: int) -> Chunk | None:
        """Rows that are due, of the partition that has waited longest."""
        for split in list(self._next):
            first = self._next.pop(split)
            last = self._next[split] = min(first + max_rows, max(first, self._due(split, first)))
            if last > first:
                partition = int(split.rpartition("/")[2])
                frame = self._source.frame(partition, first, last, self._options)
                return Chunk(frame, (Run(split, 0, frame.height, last),))
        return None

    def _due(self, split: SplitId, position: int) -> int:
        end = self._ends[split]
        due = 1 << 62
        if self._source.rate is not None:
            seconds = self._ctx.clock.now() - self._opened
            due = self._first[split] + int(seconds * self._source.rate / self._source.partitions)
        return due if end is None else min(due, end)

    def caught_up(self, split: SplitId) -> bool:
        """Whether every row that is due was generated."""
        return self._next[split] >= self._due(split, self._next[split])

    def finished(self) -> bool:
        """Whether every partition was read to its end."""
        ends = self._ends.items()
        return all(end is not None and self._next[split] >= end for split, end in ends)

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Do nothing: positions of generated rows are not published."""

    def lag(self) -> Mapping[SplitId, int]:
        """Rows due but not generated yet."""
        return {
            split: max(0, self._due(split, done) - done)
            for split, done in self._next.items()
            if self._source.rate is not None or self._ends[split] is not None
        }

    def close(self) -> None:
        """Do nothing."""


def _mix(numbers: Words, salt: int) -> Words:
    """SplitMix64 (Steele, Lea, Flood 2014) of row number and salt: 64 random bits per row."""
    import numpy as np

    z = numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt * 0xD1342543DE82EF95 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _integers(name: str, bits: Words, cardinality: int) -> pl.Series:
    import numpy as np

    return pl.Series(name, (bits % np.uint64(cardinality)).astype(np.int64))


def _floats(name: str, bits: Words, cardinality: int) -> pl.Series:
    import numpy as np

    return pl.Series(name, (bits >> np.uint64(11)).astype(np.float64) / 2.0**53)


def _strings(name: str, bits: Words, cardinality: int) -> pl.Series:
    return (f"{name}-" + _integers(name, bits, cardinality).cast(pl.String)).alias(name)


def _booleans(name: str, bits: Words, cardinality: int) -> pl.Series:
    import numpy as np

    return pl.Series(name, (bits & np.uint64(1)).astype(bool))


_MAKERS: tuple[
    tuple[Callable[[pl.DataType], bool], Callable[[str, Words, int], pl.Series]], ...
] = (
    (lambda kind: kind.is_integer(), _integers),
    (lambda kind: kind.is_float(), _floats),
    (lambda kind: kind == pl.String, _strings),
    (lambda kind: kind == pl.Boolean, _booleans),
)
