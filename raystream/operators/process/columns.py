"""States in a table: columns to cells when a batch begins, cells to columns when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.graph.process import List, Map, Process, Value
from raystream.operators.process.cells import Cells, ListCells, MapCells, ValueCells
from raystream.operators.process.fields import VALUE, WRITTEN, Stored
from raystream.operators.process.items import items_of, lists_of
from raystream.operators.process.scope import Scope
from raystream.operators.process.tables import ExpiringTable
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Mask

Types = Mapping[str, pl.DataType]

_CELLS: Mapping[type[Any], type[Any]] = {Value: ValueCells, List: ListCells, Map: MapCells}


class StateColumns:
    """One state: its table, and its cells for the keys of the batch.

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
        time = None if stored.ttl_ms is None else WRITTEN
        make = partial(KeyedTable, list(keys), time=time)
        known = None if types is None else {**types, **stored.columns()}
        self.table = ExpiringTable(f"state_{stored.state.name}", keys, make, known)
        self._cells: Cells = _CELLS[stored.state.kind](stored, scope, self._load)
        self._keys: pl.DataFrame
        self._had: Mask

    def bind(self, process: Process) -> None:
        """Give the user's object its state."""
        object.__setattr__(process, self._stored.state.name, self._cells)

    def begin(self, keys: pl.DataFrame) -> None:
        """Start with these keys, each once; nothing is fetched before it is asked for."""
        self._keys = keys
        self._cells.begin()

    def finish(self) -> None:
        """Write what has changed."""
        cells, numbers = self._cells.cells, self._cells.changed
        self._cells.begin()
        if not numbers or cells is None:
            return
        changed = np.fromiter(numbers, np.int64, len(numbers))
        changed.sort()
        made = [self._kept(cells[number]) for number in changed.tolist()]
        empty = np.fromiter((each is None for each in made), np.bool_, len(made))
        gone = changed[empty & self._had[changed]]
        table = self._table()
        if len(gone):
            table.delete(self._keys[gone])
        if not empty.all():
            rows = self._keys[changed[~empty]]
            table.upsert(rows.with_columns(self._columns([e for e in made if e is not None])))

    def forget(self, watermark: int | None, wall: int) -> None:
        """Drop what has expired."""
        stored = self._stored
        now = wall if stored.by_clock else watermark
        if stored.ttl_ms is not None and now is not None:
            self.table.forget(now - stored.ttl_ms)

    # -- columns to cells ------------------------------------------------------------------------

    def _table(self) -> KeyedTable:
        return self.table.of({**self._keys.schema, **self._stored.columns()})

    def _load(self) -> list[Any]:
        self._had, rows = self._table().get(self._keys)
        kind = self._stored.state.kind
        if kind is Map:
            each: Callable[[Any], Any] = dict if self._stored.ttl_ms is None else _entries
            return [None if items is None else each(items) for items in items_of(rows[VALUE])]
        values = rows[VALUE].to_list() if kind is Value or self._stored.ttl_ms is None else []
        if self._stored.ttl_ms is None:
            return values
        if kind is List:
            return list(items_of(rows[VALUE]))
        written = rows[WRITTEN].to_list()
        return [None if v is None else (v, w) for v, w in zip(values, written, strict=True)]

    # -- cells to columns ------------------------------------------------------------------------

    def _kept(self, cell: Any) -> Any:
        """What is written of a cell, without items that no row sees any more; None: nothing."""
        if cell is None or self._stored.state.kind is Value:
            return cell
        ttl = self._stored.ttl_ms
        if ttl is not None:
            known = self._scope.wall if self._stored.by_clock else self._scope.watermark
            if known is not None:
                cell = _younger(cell, known - ttl)
        return cell or None

    def _columns(self, cells: list[Any]) -> list[pl.Series]:
        types, ttl, kind = self._stored.columns(), self._stored.ttl_ms, self._stored.state.kind
        values: list[Any] = cells
        written: list[int] = []
        if kind is Value and ttl is not None:
            values, written = [v for v, _ in cells], [w for _, w in cells]
        elif kind is List and ttl is not None:
            values = cells
            written = [max(w for _, w in cell) for cell in cells]
        elif kind is Map and ttl is None:
            values = [cell.items() for cell in cells]
        elif kind is Map:
            values = [[(k, v, w) for k, (v, w) in cell.items()] for cell in cells]
            written = [max(w for _, w in cell.values()) for cell in cells]
        if kind is Value or (kind is List and ttl is None):
            made = [pl.Series(VALUE, values, types[VALUE], strict=True)]
        else:
            made = [lists_of(VALUE, values, types[VALUE])]
        return made if ttl is None else [*made, pl.Series(WRITTEN, written, pl.Int64())]


def _entries(items: Iterable[tuple[Any, ...]]) -> dict[Any, tuple[Any, int]]:
    return {key: (value, written) for key, value, written in items}


def _younger(cell: Any, horizon: int) -> Any:
    if isinstance(cell, dict):
        return {key: entry for key, entry in cell.items() if entry[1] >= horizon}
    return [entry for entry in cell if entry[1] >= horizon]
