"""Declared states as column types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.types import parse_type
from raystream.errors import ConfigurationError
from raystream.graph.process import CLOCK, List, Map, Process, StateField, Value, state_fields

VALUE, WRITTEN = f"{HIDDEN}value", f"{HIDDEN}written"
"""Columns of the table of a state: what is kept, and when it was last written (with a ttl)."""

SLOT, ENTRY = f"{HIDDEN}slot", f"{HIDDEN}entry"
"""Columns of the tables of large lists and maps: place of an entry, and its key in the map."""

EXTENT = {f"{HIDDEN}{name}": pl.Int64() for name in ("first", "end", "size")}
"""Columns of a list or map beside its value, of which it has none if it is large (large.py)."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a state is kept.

    Args:
        state: As declared.
        item: Type of its value, or of its items.
        key: Type of the keys of a Map.
    """

    state: StateField
    item: pl.DataType
    key: pl.DataType | None = None

    @property
    def ttl_ms(self) -> int | None:
        """Time to live."""
        return self.state.options.ttl_ms

    @property
    def by_clock(self) -> bool:
        """Whether that is time of the clock."""
        return self.state.options.by == CLOCK

    @property
    def is_broadcast(self) -> bool:
        """Whether every subtask has all of it."""
        return self.state.options.broadcast

    def columns(self) -> dict[str, pl.DataType]:
        """Of its table, beside the keys."""
        written = {WRITTEN: pl.Int64()}
        value: pl.DataType = self.item
        inner = {} if self.ttl_ms is None else written
        if self.state.kind is not Value:
            keys = {} if self.key is None else {"key": self.key}
            value = pl.List(pl.Struct({**keys, "item": self.item, **inner}))
        if self.state.kind is List and self.ttl_ms is None:
            value = pl.List(self.item)
        return {VALUE: value, **inner, **({} if self.state.kind is Value else EXTENT)}

    def entry_columns(self) -> dict[str, pl.DataType]:
        """Of the table of the entries of large lists and maps."""
        written: dict[str, pl.DataType] = {} if self.ttl_ms is None else {WRITTEN: pl.Int64()}
        keys = {} if self.key is None else {ENTRY: self.key}
        return {**keys, SLOT: pl.Int64(), VALUE: self.item, **written}

    def order_columns(self) -> dict[str, pl.DataType]:
        """Of the table that says which key of a map is in a slot."""
        columns = self.entry_columns()
        del columns[VALUE]
        return columns

    def meaning(self) -> str:
        """For people, and to compare with that in a checkpoint.

        >>> from raystream.graph.process import List, StateField
        >>> stored(StateField("last", List, (float,))).meaning()
        'List[Float64]'
        """
        types = f"{self.item}" if self.key is None else f"{self.key}, {self.item}"
        ttl = "" if self.ttl_ms is None else f" with ttl by {self.state.options.by}"
        return f"{self.state.kind.__name__}[{types}]{ttl}{', broadcast' * self.is_broadcast}"


def stored(state: StateField) -> Stored:
    """How a declared state is kept.

    Raises:
        ConfigurationError: its type is none that a column can have.
    """
    if state.options.broadcast and state.kind is not Map:
        what = f"state {state.name!r}: broadcast state is a Map, not a {state.kind.__name__}"
        advice = f"write {state.name}: rs.Map[str, int] = rs.state(broadcast=True)"
        raise ConfigurationError(what, what_to_do=advice)
    *keys, item = (_type(declared, state.name) for declared in state.types)
    if keys and keys[0].is_nested():
        what = f"state {state.name!r}: keys of a Map are plain values, not {keys[0]}"
        raise ConfigurationError(what, what_to_do="make them text or numbers")
    return Stored(replace(state, types=()), item, keys[0] if keys else None)


def stored_fields(process: Process) -> list[Stored]:
    """How the states of a Process are kept.

    Raises:
        ConfigurationError: as `stored`, and as `state_fields`.
    """
    return [stored(state) for state in state_fields(process)]


def _type(declared: Any, name: str) -> pl.DataType:
    try:
        return parse_type(declared, name)[0]
    except ConfigurationError as error:
        error.what = error.what.replace("column ", "state ", 1)
        raise
