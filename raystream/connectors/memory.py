"""Rows and raw records from Python objects: for tests, notebooks and demos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.connectors.base import (
    Chunk,
    Position,
    ReadOptions,
    Rejected,
    Run,
    SourceReader,
    Split,
)
from raystream.connectors.collect import Collect
from raystream.connectors.columns import (
    add_hidden,
    decode_changes,
    decode_rows,
    decode_schema,
    formats_of_changes,
    index_of_row,
    record_decoder,
)
from raystream.context import SubtaskContext
from raystream.data.changes import ReadChanges
from raystream.data.inference import infer_schema
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, Format
from raystream.formats.named import format_by_name
from raystream.ids import SplitId

__all__ = ["Collect", "Payloads", "Rows"]

Decode = Callable[[Sequence[Any]], Decoded]


def _number(split: SplitId) -> int:
    return int(split.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class _Items:
    """Items distributed round-robin; position of a split = number of its items read."""

    items: Sequence[Any]
    partitions: int
    prefix: str

    def splits(self) -> list[Split]:
        return [Split(f"{self.prefix}/{p}", 0, self.count(p)) for p in range(self.partitions)]

    def count(self, partition: int) -> int:
        return len(range(partition, len(self.items), self.partitions))

    def take(self, partition: int, first: int, last: int) -> Sequence[Any]:
        start = partition + first * self.partitions
        return self.items[start : partition + last * self.partitions : self.partitions]


@dataclass(frozen=True, slots=True)
class Rows:
    """Source of dict rows that exist from the start; a run over them ends by itself.

    Args:
        rows: Dicts, or a Polars frame. Anything but a sequence is read to its end at once, so
            that rows can be replayed after a failure.
        partitions: Number of splits; row i goes to split i modulo `partitions`.

    >>> source = Rows([{"ip": "a", "ts": 1}, {"ip": "b", "ts": 2}], partitions=2)
    >>> source.discover(bounded=True)
    [Split(id='rows/0', start=0, end=1), Split(id='rows/1', start=0, end=1)]
    """

    rows: Any
    partitions: int = 1

    def __post_init__(self) -> None:
        """Make the rows a sequence of dicts."""
        given = self.rows.to_dicts() if isinstance(self.rows, pl.DataFrame) else self.rows
        object.__setattr__(self, "rows", given if isinstance(given, Sequence) else tuple(given))

    def _items(self) -> _Items:
        return _Items(self.rows, self.partitions, "rows")

    def discover(self, *, bounded: bool) -> list[Split]:
        """One split per partition, from its first row to its last."""
        return self._items().splits()

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Return none: rows in memory do not grow."""
        return []

    def grows(self) -> bool:
        """Return False: rows in memory do not grow."""
        return False

    def covers(self, split: SplitId, of: str) -> bool:
        """Return True for every split."""
        return not of or of.endswith(" in memory")

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        schema = decode_schema(options)

        def decode(rows: Sequence[Any]) -> Decoded:
            if options.changes is not None:
                return decode_changes(rows, options)
            return decode_rows(rows, schema, options.record)

        return MemoryReader(ctx, options, self._items(), decode)

    def learn(self) -> Schema | None:
        """Schema of the first 1,000 rows; None if there are none."""
        sample = [row for row in self.rows[:1000] if isinstance(row, Mapping)]
        return infer_schema(sample)

    @property
    def reads_changes(self) -> tuple[str, ...]:
        """In every way: a row says by a word in `op` what it does, else it sets.

        >>> rows = rs.Rows([{"id": 1}, {"op": "delete", "id": 1}])
        >>> rs.Pipeline("example").read(rows, changes="upsert", key="id").collect().rows()
        [('insert', 1), ('delete', 1)]
        """
        return tuple(ReadChanges)

    def describe(self) -> str:
        """For people."""
        return f"{len(self.rows)} rows in memory"

    def max_parallelism(self) -> int | None:
        """One subtask per partition."""
        return self.partitions


@dataclass(frozen=True, slots=True)
class Payloads:
    """Source of raw records, decoded by a format: for tests of what does not decode.

    Args:
        payloads: Record values; None is a record without a value.
        format: `json`, `csv`, `raw`, or a Format.
        partitions: Number of splits; payload i goes to split i modulo `partitions`.

    >>> source = Payloads([b'{"n": 1}', b"not JSON"])
    >>> rs.Pipeline("example").read(source, schema={"n": "int"}, errors="skip").collect().rows()
    [(1,)]
    """

    payloads: Sequence[bytes | None]
    format: str | Format = "json"
    partitions: int = 1

    def _items(self) -> _Items:
        return _Items(self.payloads, self.partitions, "payloads")

    def discover(self, *, bounded: bool) -> list[Split]:
        """One split per partition, from its first record to its last."""
        return self._items().splits()

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Return none: records in memory do not grow."""
        return []

    def grows(self) -> bool:
        """Return False: records in memory do not grow."""
        return False

    def covers(self, split: SplitId, of: str) -> bool:
        """Return True for every split."""
        return not of or of.endswith(" in memory")

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        form = format_by_name(self.format)
        decoder = record_decoder(form, options, decode_schema(options))
        return MemoryReader(ctx, options, self._items(), decoder.decode)

    def learn(self) -> Schema | None:
        """Schema of the first 1,000 records."""
        return format_by_name(self.format).infer(self.payloads[:1000])

    @property
    def reads_changes(self) -> tuple[str, ...]:
        """Envelopes of Debezium, and logs; its records have no keys.

        >>> source = rs.Payloads([b'{"op": "c", "after": {"id": 1}}'])
        >>> rs.Pipeline("example").read(source, changes="debezium", key="id").collect().rows()
        [('insert', 1)]
        """
        return formats_of_changes(format_by_name(self.format).name)

    def describe(self) -> str:
        """For people."""
        return f"{len(self.payloads)} records in memory"

    def max_parallelism(self) -> int | None:
        """One subtask per partition."""
        return self.partitions


class MemoryReader:
    """Reads the partitions of one subtask in turn, a run of rows at a time."""

    def __init__(
        self, ctx: SubtaskContext, options: ReadOptions, items: _Items, decode: Decode
    ) -> None:
        self._ctx = ctx
        self._options = options
        self._items = items
        self._decode = decode
        self._next: dict[SplitId, int] = {}
        self._ends: dict[SplitId, int] = {}
        self._paused: frozenset[SplitId] = frozenset()

    def add(self, split: Split) -> None:
        """Start reading this split at `split.start`."""
        self._next[split.id] = split.start
        known = self._items.count(_number(split.id))
        self._ends[split.id] = known if split.end is None else split.end

    def poll(self, max_rows: int) -> Chunk | None:
        """Up to max_rows rows of the split that has waited longest."""
        waiting = (name for name in self._next if name not in self._paused)
        split = next((name for name in waiting if not self.caught_up(name)), None)
        if split is None:
            return None
        first = self._next.pop(split)
        last = min(first + max_rows, self._ends[split])
        self._next[split] = last
        return self._chunk(split, first, last)

    def _chunk(self, split: SplitId, first: int, last: int) -> Chunk:
        items = self._items.take(_number(split), first, last)
        decoded = self._decode(items)
        frame = add_hidden(decoded.frame, self._options, self._ctx.clock.wall_ms())
        run = Run(split, 0, frame.height, last)
        rejected = tuple(
            self._rejected(split, first + row.index, items[row.index], row.reason)
            for row in decoded.rejected
        )
        left_out = [row.index for row in decoded.rejected]

        def reject(rows: Sequence[int], reason: str) -> tuple[Rejected, ...]:
            indexes = (index_of_row(row, left_out) for row in rows)
            return tuple(self._rejected(split, first + i, items[i], reason) for i in indexes)

        return Chunk(frame, (run,), rejected, reject, unknown=decoded.unknown)

    def _rejected(self, split: SplitId, position: int, item: Any, reason: str) -> Rejected:
        kind, _, partition = split.rpartition("/")
        value = item if item is None or isinstance(item, bytes) else repr(item).encode()
        return Rejected(
            split,
            f"{kind}, partition {partition}, number {position}",
            {"source": kind, "partition": partition, "number": str(position)},
            None,
            value,
            reason,
        )

    def pause(self, splits: frozenset[SplitId]) -> None:
        """Read nothing of these for now."""
        self._paused = splits

    def caught_up(self, split: SplitId) -> bool:
        """Whether the split was read to its end."""
        return self._next[split] >= self._ends[split]

    def finished(self) -> bool:
        """Whether every split was read to its end."""
        return all(self.caught_up(split) for split in self._next)

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Do nothing: positions of rows in memory are not published."""

    def lag(self) -> Mapping[SplitId, int]:
        """Rows left per split."""
        return {split: self._ends[split] - done for split, done in self._next.items()}

    def close(self) -> None:
        """Do nothing."""
