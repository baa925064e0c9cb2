"""Entries of large lists and maps in tables: a row for each, found by its key or by its slot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.operators.process.fields import ENTRY, SLOT, VALUE, WRITTEN, Stored
from raystream.operators.process.large import Extent, Large, LargeList, LargeMap, Place
from raystream.operators.process.scope import Scope
from raystream.operators.process.tables import ExpiringTable
from raystream.operators.process.values import as_keys, is_exact
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import expand

Types = Mapping[str, pl.DataType]

Placed = tuple[int, Place]
"""Number of the key in the batch, and its entry."""

AT_ONCE = 100_000
"""Entries of several keys that are read together."""

HELD = 50_000
"""Entries that stay in memory for the next batch."""


class Entries:
    """The entries of one state.

    Those of a list are found by slot; those of a map by key, and their keys by slot.

    Args:
        stored: The state.
        keys: Names of the key columns.
        types: Their types, if known.
        scope: Says which key is meant.
    """

    def __init__(
        self, stored: Stored, keys: Sequence[str], types: Types | None, scope: Scope
    ) -> None:
        self._stored, self._scope = stored, scope
        self._is_map = stored.key is not None
        self._items = self._made("items", keys, ENTRY if self._is_map else SLOT, types)
        self._order = self._made("order", keys, SLOT, types) if self._is_map else None
        self.tables = [table for table in (self._items, self._order) if table is not None]
        self._exact = is_exact(stored.key) if stored.key is not None else None
        self.large: dict[int, Large] = {}
        self._held: dict[tuple[Any, ...], Large] = {}
        self._held_entries = 0
        self._keys: pl.DataFrame

    def _made(
        self, what: str, keys: Sequence[str], last: str, types: Types | None
    ) -> ExpiringTable[KeyedTable]:
        time = None if self._stored.ttl_ms is None else WRITTEN
        make = partial(KeyedTable, [*keys, last], time=time)
        known = None if types is None else {**types, **self._columns(what)}
        return ExpiringTable(f"{what}_{self._stored.state.name}", keys, make, known)

    def _columns(self, what: str) -> Types:
        return self._stored.order_columns() if what == "order" else self._stored.entry_columns()

    def forget(self, horizon: int) -> None:
        """Drop what was written before."""
        for table in self.tables:
            table.forget(horizon)

    def begin(self, keys: pl.DataFrame) -> None:
        """Start with these keys."""
        self._keys, self.large = keys, {}

    def opened(self, key: int, extent: Extent) -> Large:
        """The large list or map of a key; what earlier batches read of it may be there still."""
        held = self._held.pop(self._keys.row(key), None)
        self._held_entries -= 0 if held is None else held.held()
        if held is None or held.extent != extent:
            held = (LargeMap if self._is_map else LargeList)(self._scope, self, key, extent)
        held.reopened(key)
        self.large[key] = held
        return held

    def settle(self, extents: Mapping[int, Extent], replaced: Collection[int]) -> None:
        """All changes are written: hold what was read, the longest unused is dropped.

        Args:
            extents: Of what has changed.
            replaced: Numbers of keys that have another list or map now, or none.
        """
        horizon = self._items.horizon if self._stored.ttl_ms is not None else None
        for key, large in self.large.items():
            if key not in replaced:
                large.settled(extents.get(key, large.extent), horizon)
                self._held[self._keys.row(key)] = large
                self._held_entries += large.held()
        while self._held and self._held_entries > HELD:
            self._held_entries -= self._held.pop(next(iter(self._held))).held()
        if len(self._held) > HELD:
            self._held, self._held_entries = {}, 0

    # -- reading -----------------------------------------------------------------------------------

    def is_exact(self, name: Any) -> bool:
        """See Store."""
        return self._exact is not None and self._exact(name)

    def one(self, key: int, name: Any) -> Place | None:
        """See Store."""
        extent, stored = self.large[key].extent, self._stored
        asked = self._keys[[key]].with_columns(pl.Series(ENTRY, [name], stored.key))
        rows = self._table("items").find(asked)[1]
        if not rows.height or not extent.first <= rows[SLOT][0] < extent.end:
            return None
        place = self._places(rows)[0]
        return place if stored.ttl_ms is None or self._is_in_order(key, place) else None

    def _is_in_order(self, key: int, place: Place) -> bool:
        """Not of a map whose life was over: subtasks with other times may be merged."""
        asked = self._keys[[key]].with_columns(pl.Series(SLOT, [place[0]], pl.Int64()))
        names = self._table("order").find(asked)[1][ENTRY]
        return as_keys(names.to_list(), self._stored.key) == [place[1]]

    def all(self, key: int) -> list[Place]:
        """See Store; those of other keys of the batch that are read whole soon are read, too."""
        found = self._read(self._with_others(key))
        for other, places in found.items():
            if other != key:
                self.large[other].fill(places)
        return found[key]

    def _with_others(self, key: int) -> list[int]:
        """Keys whose entries are read together: those of few entries, for which none were."""
        chosen, room = [key], AT_ONCE - self.large[key].extent.slots
        if self.large[key].extent.are_many():
            return chosen
        for other, large in self.large.items():
            extent = large.extent
            if other != key and extent.slots <= room and not extent.are_many():
                if not large.is_read():
                    chosen.append(other)
                    room -= extent.slots
        return chosen

    def _read(self, keys: Sequence[int]) -> dict[int, list[Place]]:
        """All entries of these keys, by slot."""
        extents = [self.large[key].extent for key in keys]
        first, counts = _int64(e.first for e in extents), _int64(e.slots for e in extents)
        slots = pl.Series(SLOT, expand(first, counts), pl.Int64())
        numbers = np.repeat(_int64(keys), counts)
        asked = self._keys[numbers].with_columns(slots)
        if self._is_map:
            who, order = self._table("order").find(asked)
            at, rows = self._table("items").find(order.drop(WRITTEN, strict=False))
            numbers = numbers[who[at]]
            good = (rows[SLOT] == order[SLOT].gather(at)).to_numpy()
            numbers, rows = numbers[good], rows.filter(pl.Series(good))
        else:
            who, rows = self._table("items").find(asked)
            numbers = numbers[who]
        places, found = self._places(rows), dict[int, list[Place]]()
        edges = np.flatnonzero(np.diff(numbers)) + 1
        for low, high in zip([0, *edges.tolist()], [*edges.tolist(), len(places)], strict=True):
            if low < high:
                found[int(numbers[low])] = places[low:high]
        return {key: found.get(key, []) for key in keys}

    def _places(self, rows: pl.DataFrame) -> list[Place]:
        values: list[Any] = rows[VALUE].to_list()
        if self._stored.ttl_ms is not None:
            values = list(zip(values, rows[WRITTEN].to_list(), strict=True))
        names: list[Any] = [None] * len(values)
        if self._is_map:
            names = as_keys(rows[ENTRY].to_list(), self._stored.key)
        return list(zip(rows[SLOT].to_list(), names, values, strict=True))

    # -- writing -----------------------------------------------------------------------------------

    def stored(self, key: int) -> list[Place]:
        """All entries of a key, as they are in the tables."""
        return self._read([key])[key]

    def write(self, places: Sequence[Placed]) -> None:
        """Write entries."""
        if not places:
            return
        rows = self._rows(places)
        values: list[Any] = [entry for _, (_, _, entry) in places]
        if self._stored.ttl_ms is not None:
            rows = rows.with_columns(_written(places))
            values = [value for value, _ in values]
        column = pl.Series(VALUE, values, self._stored.item, strict=True)
        self._table("items").upsert(rows.with_columns(column))

    def write_order(self, places: Sequence[Placed]) -> None:
        """Write which keys of a map are in the slots."""
        if places and self._is_map:
            timed = [] if self._stored.ttl_ms is None else [_written(places)]
            self._table("order").upsert(self._rows(places).with_columns(timed))

    def remove(self, places: Sequence[Placed]) -> None:
        """Remove entries."""
        if places:
            rows = self._rows(places)
            self._table("items").delete(rows.drop(SLOT) if self._is_map else rows)

    def remove_order(self, places: Sequence[Placed]) -> None:
        """Free the slots of keys of a map."""
        if places and self._is_map:
            self._table("order").delete(self._rows(places).drop(ENTRY))

    def _rows(self, places: Sequence[Placed]) -> pl.DataFrame:
        rows = self._keys[[key for key, _ in places]]
        rows = rows.with_columns(pl.Series(SLOT, [place[0] for _, place in places], pl.Int64()))
        if not self._is_map:
            return rows
        names = [place[1] for _, place in places]
        return rows.with_columns(pl.Series(ENTRY, names, self._stored.key, strict=True))

    def _table(self, what: str) -> KeyedTable:
        table = self._order if what == "order" else self._items
        assert table is not None
        return table.of({**self._keys.schema, **self._columns(what)})


def _written(places: Sequence[Placed]) -> pl.Series:
    return pl.Series(WRITTEN, [entry[1] for _, (_, _, entry) in places], pl.Int64())


def _int64(numbers: Iterable[int]) -> Any:
    return np.fromiter(numbers, np.int64)
