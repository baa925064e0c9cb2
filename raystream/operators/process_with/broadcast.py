"""Broadcast state: a Map that every subtask has whole, and that only broadcast rows change.

The rows come to all subtasks in one order, so all hold the same at a barrier: behind a rescale each
takes that of the first old subtask.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.segment import Segment
from raystream.graph.process import Map, Process
from raystream.operators.process.fields import VALUE, Stored
from raystream.operators.process.scope import Scope
from raystream.operators.process.values import checked, copied
from raystream.operators.tables import StateTable
from raystream.state.keyed_table import KeyedTable

_KEY = f"{HIDDEN}item_key"
_ABSENT = object()


class EverywhereTable(StateTable[KeyedTable]):
    """A table that is the same in all subtasks."""

    _is_restored = False

    def restore(self, segments: Iterable[Segment], *, redistribute: bool) -> None:
        """Take the rows of the first old subtask, all of them."""
        if self._is_restored:
            deque(segments, maxlen=0)
            return
        self._is_restored = True
        for segment in segments:
            table, frame = self.fitted(segment.frame, older=True)
            table.restore([Segment(segment.id, frame)], same_hash=not redistribute)


class BroadcastMap(Map[Any, Any]):
    """One broadcast state of a subtask.

    Args:
        stored: The state.
        scope: Says whether a broadcast row is processed.
    """

    def __init__(self, stored: Stored, scope: Scope) -> None:
        assert stored.key is not None
        name = stored.state.name
        self._stored, self._scope = stored, scope
        self._check_key = checked(f"key of {name}", stored.key)
        self._check = checked(name, stored.item)
        self._has_zeros = stored.key.is_float()
        self._items: dict[Any, Any] = {}
        self._changed: dict[Any, None] = {}
        self._before: list[tuple[Any, Any]] = []
        types = {_KEY: stored.key, VALUE: stored.item}
        make = partial(KeyedTable, [_KEY])
        self.table = EverywhereTable(f"state_{name}", [_KEY], make, types)

    def bind(self, process: Process) -> None:
        """Give the user's object its state."""
        object.__setattr__(process, self._stored.state.name, self)

    # -- the user's --------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        """See Map."""
        return copied(self._items[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        """See Map."""
        key = self._check_key(key)
        self._put(key + 0.0 if self._has_zeros else key, self._check(value))  # -0.0 is 0.0

    def __delitem__(self, key: Any) -> None:
        """See Map."""
        if key not in self._items:
            raise KeyError(key)
        self._put(key, _ABSENT)

    def __iter__(self) -> Iterator[Any]:
        """See Map."""
        return iter(list(self._items))

    def __len__(self) -> int:
        """See Map."""
        return len(self._items)

    def _put(self, key: Any, value: Any) -> None:
        if not self._scope.broadcast:
            what = f"broadcast state {self._stored.state.name!r} is written only in on_right"
            raise RuntimeError(what)
        self._before.append((key, self._items.get(key, _ABSENT)))
        self._replace(key, value)

    def _replace(self, key: Any, value: Any) -> None:
        if value is _ABSENT:
            self._items.pop(key, None)
        else:
            self._items[key] = value

    # -- the engine's ------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back what a row that failed has changed."""
        for key, value in reversed(self._before):
            self._replace(key, value)
        self._before.clear()

    def keep(self) -> None:
        """The row did not fail."""
        self._changed.update((key, None) for key, _ in self._before)
        self._before.clear()

    def finish(self) -> None:
        """Write what has changed to the table."""
        if not self._changed:
            return
        stored, changed = self._stored, list(self._changed)
        self._changed.clear()
        table = self.table.of({_KEY: stored.key, VALUE: stored.item})  # type: ignore[dict-item]
        gone = [key for key in changed if key not in self._items]
        left = [key for key in changed if key in self._items]
        if gone:
            table.delete(pl.DataFrame([pl.Series(_KEY, gone, stored.key)]))
        if left:
            values = pl.Series(VALUE, [self._items[key] for key in left], stored.item)
            table.upsert(pl.DataFrame([pl.Series(_KEY, left, stored.key), values]))

    def load(self) -> None:
        """Read the table, which was restored."""
        if self.table.table is not None:
            rows = self.table.table.scan()
            self._items = dict(zip(rows[_KEY].to_list(), rows[VALUE].to_list(), strict=True))
