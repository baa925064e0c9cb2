"""Large lists and maps of one key: what the user's code touches is fetched, and written, alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Protocol

from raystream.operators.process.scope import Scope

SMALL = 64
"""Entries of a list or map that is kept as one value; larger ones have a row for each entry."""

PER_LOOKUP = 1_000
"""Entries that are read in the time of one lookup: so many lookups at most, then all are read."""

MOST_READ = 1_000_000
"""Of maps with more entries not all are read, unless they are asked for."""

_ITSELF = 16

Entry = Any
"""A value, or (value, time it was written) if the state has a time to live."""

Place = tuple[int, Any, Entry]
"""Slot, key in the map (None in a list) and entry."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the entries are.

    Args:
        first: Slot of the first of them.
        end: Slot behind the last one.
        size: How many there are; of those with a time to live, at most so many.
        written: With a time to live: when the last one was written.
    """

    first: int = 0
    end: int = 0
    size: int = 0
    written: int = 0

    @property
    def slots(self) -> int:
        """Slots from the first to the last."""
        return self.end - self.first

    def are_many(self) -> bool:
        """Whether it is not read together with others."""
        return self.slots > PER_LOOKUP


def is_small(entries: Sized) -> bool:
    """Whether a list or dict is kept as one value."""
    return len(entries) <= SMALL


class Store(Protocol):
    """The tables of a state, for the keys of the batch."""

    def all(self, key: int) -> list[Place]:
        """All entries of a key, by slot."""
        ...

    def one(self, key: int, name: Any) -> Place | None:
        """An entry of a map."""
        ...

    def is_exact(self, name: Any) -> bool:
        """Whether a column holds the key as it is; what others are equal to, a dict knows."""
        ...


class LargeList:
    """Items behind those that are kept; these are fetched when they are asked for.

    Args:
        scope: Where changes are noted, if they may be undone.
        store: Its tables.
        key: Number of its key in the batch.
        extent: What is kept.
    """

    def __init__(self, scope: Scope, store: Store, key: int, extent: Extent) -> None:
        self._scope, self._store, self._key = scope, store, key
        self.extent = extent
        self.kept: list[Place] | None = None
        self.added: list[Entry] = []
        self._most = SMALL

    @classmethod
    def grown(cls, scope: Scope, store: Store, entries: list[Entry]) -> LargeList:
        """One that is not kept yet."""
        made = cls(scope, store, -1, Extent(size=len(entries)))
        made.kept = [(slot, None, entry) for slot, entry in enumerate(entries)]
        return made

    def append(self, entry: Entry) -> None:
        """Add one."""
        if self._scope.undoes:
            self._scope.changes.append((self, None, len(self.added)))
        self.added.append(entry)

    def extend(self, entries: Sequence[Entry]) -> None:
        """Add some."""
        for entry in entries:
            self.append(entry)

    def __setitem__(self, key: None, before: int) -> None:
        """Take back what a row that failed has added."""
        del self.added[before:]

    def __iter__(self) -> Iterator[Entry]:
        """All, oldest first."""
        if self.kept is None:
            self.fill(self._store.all(self._key))
        yield from [entry for _, _, entry in self.kept or ()]
        yield from list(self.added)

    def __len__(self) -> int:
        """Number of items; of those with a time to live, at most so many."""
        return self.extent.size + len(self.added)

    def __bool__(self) -> bool:
        """It may be asked."""
        return True

    def is_read(self) -> bool:
        """Whether all items are known."""
        return self.kept is not None

    def fill(self, places: list[Place]) -> None:
        """Take the items that are kept."""
        self.kept = places

    def reopened(self, key: int) -> None:
        """Another batch begins, in which the key has this number."""
        self._key = key

    def settled(self, extent: Extent, horizon: int | None) -> None:
        """What was added is kept now, and what was written before the horizon no longer."""
        if self.kept is not None:
            first = extent.end - len(self.added)
            self.kept += [(first + at, None, entry) for at, entry in enumerate(self.added)]
            if horizon is not None and len(self.kept) > self._most:
                self.kept = [place for place in self.kept if place[2][1] >= horizon]
                self._most = 2 * len(self.kept) + SMALL
        self.added, self.extent = [], extent

    def held(self) -> int:
        """Items in memory, and as much as all else of it takes."""
        return len(self.kept or ()) + _ITSELF

    def first(self) -> int:
        """Slot of the first item that is kept, as far as it is known."""
        if self.kept is None:
            return self.extent.first
        return self.kept[0][0] if self.kept else self.extent.end

    def is_sparse(self) -> bool:
        """Whether few items are left."""
        return self.kept is not None and len(self.kept) + len(self.added) <= SMALL // 2


class LargeMap:
    """A dict whose entries are fetched one by one, or all if many are asked for.

    An entry has a slot, which says when it was added: a dict keeps this order.

    Args:
        scope: Where changes are noted, if they may be undone.
        store: Its tables.
        key: Number of its key in the batch.
        extent: What is kept.
    """

    def __init__(self, scope: Scope, store: Store, key: int, extent: Extent) -> None:
        self._scope, self._store, self._key = scope, store, key
        self.extent = extent
        self._is_exact = store.is_exact
        self.end, self.size = extent.end, extent.size
        self.entries: dict[Any, Entry] = {}
        self.slots: dict[Any, int] = {}
        self.was: dict[Any, int] = {}
        self.touched: dict[Any, None] = {}
        self.whole = False
        self._absent: set[Any] = set()
        self._lookups, self._first = 0, extent.first
        self._ordered = True
        self._most = SMALL

    @classmethod
    def grown(cls, scope: Scope, store: Store, entries: dict[Any, Entry]) -> LargeMap:
        """One that is not kept yet."""
        made = cls(scope, store, -1, Extent(end=len(entries), size=len(entries)))
        made.entries, made.whole = dict(entries), True
        made.slots = {name: slot for slot, name in enumerate(entries)}
        return made

    # -- as a dict -------------------------------------------------------------------------------

    def get(self, name: Any) -> Entry | None:
        """The entry of a key, None if there is none."""
        found = self.entries.get(name)
        if found is None and not self.whole and name not in self._absent:
            self._fetch(name)
            found = self.entries.get(name)
        return found

    def __contains__(self, name: object) -> bool:
        """Whether the key has an entry."""
        return self.get(name) is not None

    def __getitem__(self, name: Any) -> Entry:
        """The entry of a key that has one."""
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __setitem__(self, name: Any, entry: Entry) -> None:
        """Add or replace an entry."""
        before = self.get(name)
        self._note(name, before)
        if before is None:
            self.slots[name], self.end, self.size = self.end, self.end + 1, self.size + 1
        self.entries[name] = entry

    def __delitem__(self, name: Any) -> None:
        """Remove an entry, which there is."""
        self._note(name, self.get(name))
        del self.entries[name], self.slots[name]
        self.size -= 1
        self._absent.add(name)

    def items(self) -> list[tuple[Any, Entry]]:
        """All entries, in the order in which they were added."""
        if not self.whole:
            self.fill(self._store.all(self._key))
        if not self._ordered:
            self._order()
        return list(self.entries.items())

    def __len__(self) -> int:
        """Number of entries; of those with a time to live, at most so many."""
        return self.size

    def __bool__(self) -> bool:
        """It may be asked."""
        return True

    # -- what is kept ----------------------------------------------------------------------------

    def is_read(self) -> bool:
        """Whether all entries are known."""
        return self.whole

    def reopened(self, key: int) -> None:
        """Another batch begins, in which the key has this number."""
        self._key, self._lookups = key, 0

    def settled(self, extent: Extent, horizon: int | None) -> None:
        """What was changed is kept now, and what was written before the horizon no longer."""
        self.extent = extent
        for name in self.touched:
            if name in self.slots:
                self.was[name] = self.slots[name]
            else:
                self.was.pop(name, None)
        self.touched.clear()
        if len(self._absent) > len(self.entries):
            self._absent.clear()
        if horizon is not None and len(self.entries) > self._most:
            self._drop_before(horizon)
            self._most = 2 * len(self.entries) + SMALL

    def _drop_before(self, horizon: int) -> None:
        for name in [name for name, (_, at) in self.entries.items() if at < horizon]:
            del self.entries[name], self.slots[name]
            self.was.pop(name, None)

    def held(self) -> int:
        """Entries in memory, and as much as all else of it takes."""
        return len(self.entries) + _ITSELF

    def first(self) -> int:
        """No entry has a smaller slot."""
        return self._first

    def count(self) -> int:
        """Entries, as far as they are known."""
        return len(self.entries) if self.whole else self.size

    def is_sparse(self) -> bool:
        """Whether few entries are left, or most of the slots are free."""
        size = self.count()
        most = 2 * size + SMALL
        if self.whole and self.end - self._first > most:
            self._first = min(self.slots.values(), default=self.end)
        return size <= SMALL // 2 or self.end - self._first > most

    def _fetch(self, name: Any) -> None:
        self._lookups += 1
        slots = self.extent.slots
        is_cheaper = slots < min(self._lookups * PER_LOOKUP, MOST_READ)
        if is_cheaper or not self._is_exact(name):
            self.fill(self._store.all(self._key))
            return
        found = self._store.one(self._key, name)
        if found is None:
            self._absent.add(name)
        else:
            self._take(found)
            self._ordered = False

    def fill(self, places: list[Place]) -> None:
        """Take all entries that are kept, but for those that have changed."""
        for place in places:
            if place[1] not in self.was and place[1] not in self.touched:
                self._take(place)
        self.whole, self._ordered = True, False
        self._first = min(self.slots.values(), default=self.end)

    def _take(self, place: Place) -> None:
        slot, name, entry = place
        self.entries[name], self.slots[name], self.was[name] = entry, slot, slot

    def _order(self) -> None:
        slots, entries = self.slots, self.entries
        self.entries = {name: entries[name] for name in sorted(entries, key=slots.__getitem__)}
        self._ordered = True

    # -- what is undone --------------------------------------------------------------------------

    def _note(self, name: Any, before: Entry | None) -> None:
        self.touched[name] = None
        if self._scope.undoes:
            was = before, self.slots.get(name), self.end, self.size
            self._scope.changes.append((_Undo(self), name, was))

    def undo(self, name: Any, was: tuple[Any, ...]) -> None:
        """Make an entry again what it was."""
        entry, slot, self.end, self.size = was
        self._ordered = False
        if entry is None:
            del self.entries[name], self.slots[name]
            self._absent.add(name)
        else:
            self.entries[name], self.slots[name] = entry, slot


class _Undo:
    """Undoes by assignment, as Scope does."""

    def __init__(self, large: LargeMap) -> None:
        self._large = large

    def __setitem__(self, name: Any, was: tuple[Any, ...]) -> None:
        self._large.undo(name, was)


Large = LargeList | LargeMap
