"""The source that `feed` puts in the place of a real one: rows with markers between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from raystream.connectors.columns import add_hidden, decode_changes, decode_rows, decode_schema
from raystream.context import SubtaskContext
from raystream.data.batch import TIME
from raystream.data.inference import infer_schema
from raystream.data.schema import Schema
from raystream.formats.base import Decoded
from raystream.ids import SplitId
from raystream.testing.markers import CRASH, EOF, Advance, Marker

FIRST = 1000
"""Rows from which is learnt what functions give."""

Item = Any
"""A dict row, or a marker."""


class Crash(BaseException):
    """The process dies here; no part of the engine may catch it."""


@dataclass(slots=True)
class World:
    """What outlives a crash: which markers have had their effect.

    Args:
        crashed: Places (split, item number) of CRASH markers that happened.
        released: Places of PAUSE and ADVANCE markers that are over.
        waiting: Places at which readers wait now, and the markers there.
        run: Number of the present run; it ends at the EOF of that number.
    """

    crashed: set[tuple[SplitId, int]] = field(default_factory=set)
    released: set[tuple[SplitId, int]] = field(default_factory=set)
    waiting: dict[tuple[SplitId, int], Marker | Advance] = field(default_factory=dict)
    run: int = 0


@dataclass(frozen=True, slots=True)
class FedSource:
    """Rows and markers as a source of one split.

    Args:
        name: Of the step it stands for.
        items: Rows and markers.
        world: What outlives a crash.
        like: The source in whose place it stands.
    """

    name: str
    items: Sequence[Item]
    world: World
    like: Any = None

    def __getattr__(self, name: str) -> Any:
        """Its rows have the columns that the source makes of metadata, where it makes any."""
        if name == "metadata_columns":
            return getattr(self.like, name)
        raise AttributeError(name)

    def ends(self) -> list[int]:
        """Where each run ends: behind its EOF, the last at the end of all items."""
        ends = [number + 1 for number, item in enumerate(self.items) if item is EOF]
        return ends if ends and ends[-1] == len(self.items) else [*ends, len(self.items)]

    def discover(self, *, bounded: bool) -> list[Split]:
        """One split that ends with the present run."""
        ends = self.ends()
        return [Split(self.name, 0, ends[min(self.world.run, len(ends) - 1)])]

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """None."""
        return []

    def grows(self) -> bool:
        """No."""
        return False

    def covers(self, split: SplitId, of: str) -> bool:
        """Every split is."""
        return True

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader."""
        return FedReader(self, ctx, options)

    def learn(self) -> Schema | None:
        """Schema of the rows."""
        return infer_schema([item for item in self.items if isinstance(item, Mapping)])

    def first_rows(self, options: ReadOptions) -> pl.DataFrame | None:
        """Rows to learn from, whatever markers stand between them; None if there are none."""
        items = [item for item in self.items if not _is_marker(item)]
        decoded = _decoded(items[:FIRST], options)
        frame = add_hidden(decoded.frame, options, 0)
        if not frame.height:
            return None
        return (
            frame if TIME in frame.columns else frame.with_columns(pl.lit(0, pl.Int64).alias(TIME))
        )

    def describe(self) -> str:
        """For people."""
        return f"rows fed to {self.name}"

    def max_parallelism(self) -> int | None:
        """One split."""
        return 1


class FedReader:
    """Hands out rows up to the next marker, and obeys it."""

    def __init__(self, source: FedSource, ctx: SubtaskContext, options: ReadOptions) -> None:
        self._source = source
        self._world = source.world
        self._ctx = ctx
        self._options = options
        self._next: dict[SplitId, int] = {}
        self._end = 0

    def add(self, split: Split) -> None:
        """Read on at `split.start`."""
        self._next[split.id] = split.start
        self._end = int(split.end or 0)

    def poll(self, max_rows: int) -> Chunk | None:
        """Rows up to the next marker.

        Raises:
            Crash: The next item is a CRASH that has not happened yet.
        """
        for split, first in self._next.items():
            start = self._pass_markers(split, first)
            last = start
            while last < min(self._end, start + max_rows) and not _is_marker(self._item(last)):
                last += 1
            self._next[split] = last
            if last > first:
                return self._chunk(split, start, last)
        return None

    def _pass_markers(self, split: SplitId, number: int) -> int:
        """The first item from `number` on that is a row, or a marker that still holds."""
        while number < self._end and _is_marker(item := self._item(number)):
            place = (split, number)
            if item is CRASH and place not in self._world.crashed:
                self._world.crashed.add(place)
                raise Crash
            if isinstance(item, Advance) or item is Marker.PAUSE:
                if place not in self._world.released:
                    self._world.waiting[place] = item
                    return number
            number += 1
        return number

    def _item(self, number: int) -> Item:
        return self._source.items[number]

    def _chunk(self, split: SplitId, first: int, last: int) -> Chunk:
        items = self._source.items[first:last]
        decoded = _decoded(items, self._options)
        frame = add_hidden(decoded.frame, self._options, self._ctx.clock.wall_ms())
        rejected = tuple(
            Rejected(
                split,
                f"{split}, item {first + bad.index}",
                {"source": split, "item": str(first + bad.index)},
                None,
                repr(items[bad.index]).encode(),
                bad.reason,
            )
            for bad in decoded.rejected
        )
        return Chunk(frame, (Run(split, 0, frame.height, last),), rejected)

    def caught_up(self, split: SplitId) -> bool:
        """Whether nothing comes until a marker is over."""
        number = self._next[split]
        return number >= self._end or (split, number) in self._world.waiting

    def finished(self) -> bool:
        """Whether the run is at its end."""
        return all(number >= self._end for number in self._next.values())

    def committed(self, positions: Mapping[SplitId, Position]) -> None:
        """Nobody watches."""

    def lag(self) -> Mapping[SplitId, int]:
        """Items left in this run."""
        return {split: self._end - number for split, number in self._next.items()}

    def close(self) -> None:
        """Nothing to release."""


def _decoded(items: Sequence[Item], options: ReadOptions) -> Decoded:
    if options.changes is not None:
        return decode_changes(items, options)
    return decode_rows(items, decode_schema(options))


def _is_marker(item: Item) -> bool:
    return isinstance(item, Marker | Advance)
