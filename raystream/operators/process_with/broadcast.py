"""Broadcast state: a Map that every subtask has whole, and that only broadcast rows change.

The rows come to all subtasks in one order, so all hold the same at a barrier: behind a rescale each
takes that of the first old subtask. With a time to live an item is over for broadcast rows by the
greatest event time of broadcast rows, which is the same in all subtasks, and for others by their
own. Subtasks drop what is over at other times, so behind a rescale each takes what any has.
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
from raystream.operators.process.fields import VALUE, WRITTEN, Stored
from raystream.operators.process.scope import Scope
from raystream.operators.process.tables import ExpiringTable
from raystream.operators.process.values import as_key, as_keys, checked, copied
from raystream.state.keyed_table import KeyedTable

_KEY = f"{HIDDEN}item_key"
_ABSENT = object()


class EverywhereTable(ExpiringTable[KeyedTable]):
    """A table that is the same in all subtasks.

    Attributes:
        drops: Whether they drop rows that are over, each when it knows.
    """

    drops = False
    _is_restored = False

    def restore(self, segments: Iterable[Segment], *, redistribute: bool) -> None:
        """Take the rows of the first old subtask, all of them; of all if they drop some."""
        if self._is_restored and not self.drops:
            deque(segments, maxlen=0)
            return
        self._is_restored, self._merges = True, redistribute
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
        self._ttl = stored.ttl_ms
        self._items: dict[Any, Any] = {}
        self._changed: dict[Any, None] = {}
        self._before: list[tuple[Any, Any]] = []
        self._types: dict[str, pl.DataType] = {_KEY: stored.key, VALUE: stored.item}
        if self._ttl is not None:
            self._types[WRITTEN] = pl.Int64()
        make = partial(KeyedTable, [_KEY], time=None if self._ttl is None else WRITTEN)
        self.table = EverywhereTable(f"state_{name}", [_KEY], make, self._types)
        self.table.drops = self._ttl is not None

    def bind(self, process: Process) -> None:
        """Give the user's object its state."""
        object.__setattr__(process, self._stored.state.name, self)

    # -- the user's --------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        """See Map."""
        entry = self._items[key]
        if not self._lives(entry):
            raise KeyError(key)
        return copied(entry if self._ttl is None else entry[0])

    def __setitem__(self, key: Any, value: Any) -> None:
        """See Map."""
        key, value = as_key(self._check_key(key)), self._check(value)
        if not self._lives(self._items.get(key, _ABSENT)):
            self._put(key, _ABSENT)  # it goes behind the others
        self._put(key, value if self._ttl is None else (value, self._now()))

    def __delitem__(self, key: Any) -> None:
        """See Map."""
        if key not in self:
            raise KeyError(key)
        self._put(key, _ABSENT)

    def __iter__(self) -> Iterator[Any]:
        """See Map."""
        return iter([key for key, entry in self._items.items() if self._lives(entry)])

    def __len__(self) -> int:
        """See Map."""
        return len(self._items) if self._ttl is None else sum(1 for _ in self)

    def _now(self) -> int:
        scope = self._scope
        if not scope.broadcast:
            return scope.now
        return scope.time if scope.latest is None else max(scope.time, scope.latest)

    def _lives(self, entry: Any) -> bool:
        return self._ttl is None or entry is _ABSENT or bool(self._now() - self._ttl <= entry[1])

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
        table = self.table.of(self._types)
        gone = [key for key in changed if key not in self._items]
        left = [key for key in changed if key in self._items]
        if gone:
            table.delete(pl.DataFrame([pl.Series(_KEY, gone, stored.key)]))
        if left:
            columns = [pl.Series(_KEY, left, stored.key)]
            values: list[Any] = [self._items[key] for key in left]
            if self._ttl is not None:
                columns.append(pl.Series(WRITTEN, [at for _, at in values], pl.Int64()))
                values = [value for value, _ in values]
            table.upsert(pl.DataFrame([*columns, pl.Series(VALUE, values, stored.item)]))

    def forget(self, watermark: int) -> None:
        """Drop what is over for all rows to come."""
        if self._ttl is None or self._scope.latest is None:
            return
        horizon = min(watermark, self._scope.latest) - self._ttl
        self.table.forget(horizon)
        self._items = {key: entry for key, entry in self._items.items() if entry[1] >= horizon}

    def load(self) -> None:
        """Read the table, which was restored."""
        if self.table.table is not None:
            rows = self.table.table.scan()
            values: list[Any] = rows[VALUE].to_list()
            if self._ttl is not None:
                values = list(zip(values, rows[WRITTEN].to_list(), strict=True))
            names = as_keys(rows[_KEY].to_list(), self._stored.key)
            self._items = dict(zip(names, values, strict=True))
        self.table.settle()
