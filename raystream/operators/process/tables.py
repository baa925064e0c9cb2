"""Tables whose rows know themselves when they are over: subtasks with other times may be merged.

Watermarks of the old subtasks may differ: what is over for one must not be dropped for another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.segment import Segment
from raystream.operators.tables import StateTable, Types
from raystream.state.keys import key_hashes, key_ids, same_keys
from raystream.state.sorted_runs import SortedRuns
from raystream.state.timers import Timers

T = TypeVar("T", bound=SortedRuns)

AT = f"{HIDDEN}at"
"""Int64: time of a timer, epoch ms."""


class ExpiringTable(StateTable[T]):
    """A table that keeps expired rows if subtasks are merged, until the next watermark."""

    def __init__(
        self,
        name: str,
        keys: Sequence[str],
        make: Callable[..., T],
        types: Types | None = None,
        upgrade: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
    ) -> None:
        super().__init__(name, keys, make, types, upgrade)
        self._merges = False

    def restore(self, segments: Iterable[Segment], *, redistribute: bool) -> None:
        """Add the rows of one old subtask; `settle` follows when all are there."""
        self._merges = redistribute
        super().restore(segments, redistribute=redistribute)

    def forget(self, horizon: int) -> None:
        """Drop rows of smaller times."""
        if not self._merges:
            super().forget(horizon)

    def settle(self) -> None:
        """All old subtasks are restored."""
        self._merges = False


class TimerTable(StateTable[Timers]):
    """Timers: those of each old subtask without those that fired there.

    Args:
        name: Of the table.
        keys: Names of the key columns.
        types: Their types, if known.
    """

    def __init__(self, name: str, keys: Sequence[str], types: Types | None) -> None:
        known = None if types is None else {**types, AT: pl.Int64()}
        super().__init__(name, keys, partial(Timers, list(keys), time=AT), known)
        self._old: list[Timers] | None = None

    def restore(self, segments: Iterable[Segment], *, redistribute: bool) -> None:
        """Add the timers of one old subtask; `settle` follows when all are there."""
        if not redistribute:
            super().restore(segments, redistribute=False)
            return
        self._old = [] if self._old is None else self._old
        self.table, self._horizon = None, None
        super().restore(segments, redistribute=True)
        if self.table is not None:
            self._old.append(self.table)

    def settle(self) -> None:
        """All old subtasks are restored."""
        if self._old is None:
            return
        rows = [table.take_all() for table in self._old]
        self._old, self.table, self._horizon = None, None, None
        if rows:
            self.register(pl.concat(rows))

    def register(self, rows: pl.DataFrame) -> None:
        """Add keys and times."""
        self.of(rows.schema).register(rows)

    def delete(self, rows: pl.DataFrame) -> None:
        """Remove keys and times."""
        if self.table is not None:
            self.of(rows.schema).delete(rows)

    def due(self, until: int | None) -> pl.DataFrame | None:
        """Remove and return timers up to this time, None: all; by time."""
        if self.table is None:
            return None
        found = self.table.take_all() if until is None else self.table.due(until)
        return found if found.height else None


def numbered(rows: pl.DataFrame, keys: Sequence[str]) -> tuple[list[int], pl.DataFrame]:
    """Number of the key of each row, and the keys, each once.

    >>> numbers, each = numbered(pl.DataFrame({"k": ["a", "b", "a"]}), ["k"])
    >>> each["k"].gather(numbers).to_list()
    ['a', 'b', 'a']
    """
    rows = rows.select(keys)
    hashes: Any = key_hashes(rows, keys)
    _, first, numbers = np.unique(hashes, return_index=True, return_inverse=True)
    if not same_keys(rows, rows[first[numbers]], keys).all():
        _, first, numbers = np.unique(key_ids(rows, keys), return_index=True, return_inverse=True)
    return numbers.tolist(), rows[first]
