"""Value, List and Map of the keys of one batch: plain Python, fetched and written as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from raystream.graph.process import List, Map, Value
from raystream.operators.process.context import BROADCAST_HAS_NO_KEY
from raystream.operators.process.fields import Stored
from raystream.operators.process.large import Entry, LargeList, LargeMap, Store, is_small
from raystream.operators.process.scope import Scope
from raystream.operators.process.values import as_key, checked, copied


class Cells:
    """Common base: a cell per key of the batch, None if nothing is kept for it.

    Args:
        stored: The state.
        scope: Says which key is meant.
        load: Fetches the cells of the keys of the batch, when the first is asked for.
        store: Entries of large lists and maps.
    """

    def __init__(
        self, stored: Stored, scope: Scope, load: Callable[[], list[Any]], store: Store | None
    ) -> None:
        self._scope, self._load, self._store = scope, load, store
        self._ttl, self._by_clock = stored.ttl_ms, stored.by_clock
        self._nested = stored.item.is_nested()
        self._plain = self._ttl is None and not self._nested
        self._check = checked(stored.state.name, stored.item)
        self.cells: list[Any] | None = None
        self.changed: set[int] = set()

    def begin(self) -> None:
        """Start with the keys of another batch; also behind it, so that none is taken for them."""
        self.cells = None
        self.changed = set()

    def _all(self) -> list[Any]:
        if self._scope.broadcast:
            raise RuntimeError(BROADCAST_HAS_NO_KEY)
        if self._scope.key < 0:
            what = "states can be used only while a row or timer is processed"
            raise RuntimeError(what)
        if self.cells is None:
            self.cells = self._load()
        return self.cells

    def _cell(self) -> Any:
        cells = self.cells
        return (self._all() if cells is None else cells)[self._scope.key]

    def _put(self, cell: Any) -> None:
        scope = self._scope
        cells = self._all() if self.cells is None else self.cells
        if scope.undoes:
            scope.changes.append((cells, scope.key, cells[scope.key]))
        cells[scope.key] = cell
        self.changed.add(scope.key)

    def _own(self, empty: Callable[[], Any]) -> Any:
        """The list or dict of the key, to be changed in place; a copy while it may be undone.

        Large ones know themselves how to undo a change.
        """
        scope, cell = self._scope, self._cell()
        if isinstance(cell, LargeList | LargeMap):
            self.changed.add(scope.key)
            return cell
        mine = (id(self), scope.key)
        if cell is not None and not (scope.undoes and mine not in scope.owned):
            self.changed.add(scope.key)
            return cell
        made = empty() if cell is None else self._copy(cell)
        self._put(made)
        if scope.undoes:
            scope.owned.add(mine)
        return made

    def _copy(self, cell: Any) -> Any:
        """A copy; a large one is not copied again for each row of the batch."""
        if is_small(cell):
            return cell.copy()
        assert self._store is not None
        kind = LargeMap if isinstance(cell, dict) else LargeList
        return kind.grown(self._scope, self._store, cell)

    # -- times to live ---------------------------------------------------------------------------

    def _now(self) -> int:
        return self._scope.wall if self._by_clock else self._scope.now

    def _entry(self, value: Any, before: Entry = None) -> Entry:
        """A value that is written now; a row out of order does not shorten its life."""
        value = self._check(value)
        if self._ttl is None:
            return value
        now = self._now()
        return value, now if before is None else max(now, before[1])

    def _lives(self, entry: Entry) -> bool:
        return self._ttl is None or bool(self._now() - self._ttl <= entry[1])

    def _value(self, entry: Entry) -> Any:
        found = entry if self._ttl is None else entry[0]
        return copied(found) if self._nested else found


class ValueCells(Cells, Value[Any]):
    """A cell is an entry."""

    def get(self, default: Any = None) -> Any:
        """See Value."""
        cells = self.cells
        entry = (self._all() if cells is None else cells)[self._scope.key]
        if self._plain:
            return default if entry is None else entry
        return self._value(entry) if entry is not None and self._lives(entry) else default

    def set(self, value: Any) -> None:
        """See Value."""
        if value is None:
            self._put(None)
        elif self._plain:
            self._put(self._check(value))
        else:
            self._put(self._entry(value, self._cell()))

    def clear(self) -> None:
        """See Value."""
        self._put(None)


class ListCells(Cells, List[Any]):
    """A cell is a list of entries."""

    def append(self, item: Any) -> None:
        """See List."""
        entry = self._entry(item)
        self._own(list).append(entry)

    def extend(self, items: Iterable[Any]) -> None:
        """See List."""
        entries = [self._entry(item) for item in items]
        if entries:
            self._own(list).extend(entries)

    def get(self) -> list[Any]:
        """See List."""
        return [self._value(entry) for entry in self._cell() or () if self._lives(entry)]

    def set(self, items: Iterable[Any]) -> None:
        """See List."""
        self._put([self._entry(item) for item in items])

    def clear(self) -> None:
        """See List."""
        self._put(None)

    def __len__(self) -> int:
        """See List."""
        cell = self._cell() or ()
        return len(cell) if self._ttl is None else sum(map(self._lives, cell))


class MapCells(Cells, Map[Any, Any]):
    """A cell is a dict of entries."""

    def __init__(
        self, stored: Stored, scope: Scope, load: Callable[[], list[Any]], store: Store | None
    ) -> None:
        super().__init__(stored, scope, load, store)
        assert stored.key is not None
        self._check_key = checked(f"key of {stored.state.name}", stored.key)

    def _found(self, key: Any) -> Entry | None:
        """The entry of a key, unless there is none or its life is over."""
        cell = self._cell()
        entry = None if cell is None else cell.get(as_key(key))
        return entry if entry is None or self._lives(entry) else None

    def __getitem__(self, key: Any) -> Any:
        """See Map."""
        entry = self._found(key)
        if entry is None:
            raise KeyError(key)
        return self._value(entry)

    def __setitem__(self, key: Any, value: Any) -> None:
        """See Map."""
        key = as_key(self._check_key(key))
        before = self._found(key)
        entry, own = self._entry(value, before), self._own(dict)
        if before is None and self._ttl is not None and key in own:
            del own[key]  # its life is over: it goes behind the others, as if it was dropped before
        own[key] = entry

    def __delitem__(self, key: Any) -> None:
        """See Map."""
        if self._found(key) is None:
            raise KeyError(key)
        del self._own(dict)[as_key(key)]

    def __contains__(self, key: object) -> bool:
        """See Map."""
        return self._found(key) is not None

    def __iter__(self) -> Iterator[Any]:
        """See Map."""
        return iter([key for key, entry in (self._cell() or {}).items() if self._lives(entry)])

    def __len__(self) -> int:
        """See Map."""
        return len(self._cell() or ()) if self._ttl is None else sum(1 for _ in self)

    def clear(self) -> None:
        """See Map."""
        self._put(None)
