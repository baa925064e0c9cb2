"""States in a table: columns to cells when a batch begins, cells to columns when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.graph.process import List, Map, Process, Value
from raystream.operators.process.cells import Cells, ListCells, MapCells, ValueCells
from raystream.operators.process.entries import Entries
from raystream.operators.process.fields import EXTENT, VALUE, WRITTEN, Stored
from raystream.operators.process.items import items_of, lists_of
from raystream.operators.process.large import Extent, LargeList, LargeMap
from raystream.operators.process.large_columns import LargeColumns
from raystream.operators.process.scope import Scope
from raystream.operators.process.tables import ExpiringTable
from raystream.operators.process.values import as_key
from raystream.operators.tables import StateTable
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Mask

Types = Mapping[str, pl.DataType]

_CELLS: Mapping[type[Any], type[Any]] = {Value: ValueCells, List: ListCells, Map: MapCells}


class StateColumns:
    """One state: its table, and its cells for the keys of the batch.

    Small lists and maps are one value; large ones have a row for each entry (entries.py), and
    instead of the value their extent.

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
        name, self._is_value = f"state_{stored.state.name}", stored.state.kind is Value
        self._table = ExpiringTable(name, keys, make, known, None if self._is_value else _extended)
        self._large: LargeColumns | None = None
        if not self._is_value:
            self._large = LargeColumns(stored, Entries(stored, keys, types, scope))
        store = None if self._large is None else self._large.entries
        self._cells: Cells = _CELLS[stored.state.kind](stored, scope, self._load, store)
        self._keys: pl.DataFrame
        self._had: Mask

    def tables(self) -> list[StateTable[Any]]:
        """Where it is kept."""
        return [self._table, *self._further()]

    def settle(self) -> None:
        """All old subtasks are restored."""
        for table in (self._table, *self._further()):
            table.settle()

    def _further(self) -> list[ExpiringTable[KeyedTable]]:
        return [] if self._large is None else self._large.entries.tables

    def bind(self, process: Process) -> None:
        """Give the user's object its state."""
        object.__setattr__(process, self._stored.state.name, self._cells)

    def begin(self, keys: pl.DataFrame) -> None:
        """Start with these keys, each once; nothing is fetched before it is asked for."""
        self._keys = keys
        self._cells.begin()
        if self._large is not None:
            self._large.entries.begin(keys)

    def finish(self) -> None:
        """Write what has changed."""
        cells, numbers = self._cells.cells, self._cells.changed
        self._cells.begin()
        if cells is None:
            return
        kept = {number: self._kept(cells[number]) for number in sorted(numbers)}
        extents = {} if self._large is None else self._large.write(kept)
        self._delete([number for number, cell in kept.items() if cell is None])
        self._upsert({n: cell for n, cell in kept.items() if n not in extents and _is_value(cell)})
        self._upsert_extents(extents)

    def forget(self, watermark: int | None, wall: int) -> None:
        """Drop what has expired."""
        stored = self._stored
        now = wall if stored.by_clock else watermark
        if stored.ttl_ms is not None and now is not None:
            for table in (self._table, *self._further()):
                table.forget(now - stored.ttl_ms)

    # -- columns to cells ------------------------------------------------------------------------

    def _kept_rows(self) -> KeyedTable:
        return self._table.of({**self._keys.schema, **self._stored.columns()})

    def _load(self) -> list[Any]:
        self._had, rows = self._kept_rows().get(self._keys)
        kind, timed = self._stored.state.kind, self._stored.ttl_ms is not None
        if kind is Value:
            values = rows[VALUE].to_list()
            if not timed:
                return values
            written = rows[WRITTEN].to_list()
            return [None if v is None else (v, w) for v, w in zip(values, written, strict=True)]
        cells: list[Any]
        if kind is Map:
            each = self._dict_of()
            cells = [None if items is None else each(items) for items in items_of(rows[VALUE])]
        else:
            cells = list(items_of(rows[VALUE])) if timed else rows[VALUE].to_list()
        self._open_large(rows, cells)
        return cells

    def _dict_of(self) -> Callable[[Iterable[tuple[Any, ...]]], dict[Any, Any]]:
        assert self._stored.key is not None
        timed, floats = self._stored.ttl_ms is not None, self._stored.key.is_float()
        if timed and floats:
            return lambda items: {as_key(key): (value, at) for key, value, at in items}
        if timed:
            return lambda items: {key: (value, at) for key, value, at in items}
        return (lambda items: {as_key(k): v for k, v in items}) if floats else dict

    def _open_large(self, rows: pl.DataFrame, cells: list[Any]) -> None:
        assert self._large is not None
        timed = [] if self._stored.ttl_ms is None else [WRITTEN]
        extents = rows.select(*EXTENT, *timed)
        for number in np.flatnonzero(extents[:, 1].is_not_null()).tolist():
            cells[number] = self._large.entries.opened(number, Extent(*extents.row(number)))

    # -- cells to columns ------------------------------------------------------------------------

    def _kept(self, cell: Any) -> Any:
        """What is written of a cell, without items that no row sees any more; None: nothing."""
        if cell is None or self._is_value:
            return cell
        ttl = self._stored.ttl_ms
        if ttl is not None and isinstance(cell, list | dict):
            known = self._scope.wall if self._stored.by_clock else self._scope.watermark
            if known is not None:
                cell = _younger(cell, known - ttl)
        return cell or None

    def _delete(self, numbers: Sequence[int]) -> None:
        gone = [number for number in numbers if self._had[number]]
        if gone:
            self._kept_rows().delete(self._keys[gone])

    def _upsert(self, kept: Mapping[int, Any]) -> None:
        if kept:
            rows = self._keys[list(kept)].with_columns(self._columns(list(kept.values())))
            nulls = [] if self._is_value else [pl.lit(None, t).alias(n) for n, t in EXTENT.items()]
            self._kept_rows().upsert(rows.with_columns(nulls))

    def _upsert_extents(self, extents: Mapping[int, Extent]) -> None:
        if not extents:
            return
        value = pl.lit(None, self._stored.columns()[VALUE]).alias(VALUE)
        names = [*EXTENT, *([] if self._stored.ttl_ms is None else [WRITTEN])]
        numbers = zip(*(astuple(extent) for extent in extents.values()), strict=True)
        columns = [pl.Series(n, each, pl.Int64()) for n, each in zip(names, numbers, strict=False)]
        self._kept_rows().upsert(self._keys[list(extents)].with_columns(value, *columns))

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


def _is_value(cell: Any) -> bool:
    return cell is not None and not isinstance(cell, LargeList | LargeMap)


def _younger(cell: Any, horizon: int) -> Any:
    if isinstance(cell, dict):
        return {key: entry for key, entry in cell.items() if entry[1] >= horizon}
    return [entry for entry in cell if entry[1] >= horizon]


def _extended(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of checkpoints in which all lists and maps were one value."""
    if set(EXTENT) <= set(frame.columns):
        return frame
    return frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in EXTENT.items())
