"""What a batch has changed in large lists and maps, as rows of entries."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from raystream.operators.process.entries import Entries, Placed
from raystream.operators.process.fields import Stored
from raystream.operators.process.large import (
    Entry,
    Extent,
    Large,
    LargeList,
    LargeMap,
    Place,
    is_small,
)


class LargeColumns:
    """Writes large lists and maps; lists and dicts become large, and large ones small again.

    Args:
        stored: The state.
        entries: Its entries.
    """

    def __init__(self, stored: Stored, entries: Entries) -> None:
        self._timed = stored.ttl_ms is not None
        self.entries = entries
        self._written: list[Placed] = []
        self._ordered: list[Placed] = []
        self._removed: list[Placed] = []
        self._freed: list[Placed] = []

    def write(self, kept: MutableMapping[int, Any]) -> dict[int, Extent]:
        """Write entries; gives the extents that are others now.

        Args:
            kept: Number of the key, and its list, dict or nothing; large ones that are so small
                that they become one value are replaced by that.
        """
        extents, replaced = dict[int, Extent](), set[int]()
        for number, cell in kept.items():
            old = self.entries.large.get(number)
            if old is not None and cell is old and not old.is_sparse():
                extent = self._changed(number, old)
                if extent != old.extent:
                    extents[number] = extent
                continue
            kept[number] = whole = _whole(cell)
            slots = 0 if whole is None or is_small(whole) else len(whole)
            if old is not None:
                self._clear(number, slots)
                replaced.add(number)
            if slots:
                extents[number] = self._all_of(number, whole)
        self._flush()
        self.entries.settle(extents, replaced)
        return extents

    def _flush(self) -> None:
        """Removed first: an entry that is written may have the slot, or the key, of one of them."""
        entries = self.entries
        entries.remove(self._removed)
        entries.remove_order(self._freed)
        entries.write(self._written)
        entries.write_order(self._ordered)
        for each in (self._removed, self._freed, self._written, self._ordered):
            each.clear()

    def _clear(self, number: int, slots: int) -> None:
        """Remove all that is kept, but for items of a list in slots that are written again."""
        stored = [(number, place) for place in self.entries.stored(number)]
        self._freed += stored
        self._removed += [each for each in stored if each[1][1] is not None or each[1][0] >= slots]

    def _all_of(self, number: int, cell: Any) -> Extent:
        """Give each entry of a list or dict its slot."""
        if isinstance(cell, dict):
            places = [(slot, *each) for slot, each in enumerate(cell.items())]
        else:
            places = [(slot, None, entry) for slot, entry in enumerate(cell)]
        self._add(number, places)
        return self._extent(0, len(places), len(places), 0, places)

    def _changed(self, number: int, large: Large) -> Extent:
        if isinstance(large, LargeList):
            return self._list(number, large)
        return self._map(number, large)

    def _list(self, number: int, large: LargeList) -> Extent:
        was = large.extent
        places: list[Place] = [(was.end + at, None, each) for at, each in enumerate(large.added)]
        self._add(number, places)
        end = was.end + len(places)
        return self._extent(large.first(), end, end - large.first(), was.written, places)

    def _map(self, number: int, large: LargeMap) -> Extent:
        was, entries, slots = large.extent, large.entries, large.slots
        left = [(slots[name], name, entries[name]) for name in large.touched if name in entries]
        moved = [place for place in left if large.was.get(place[1]) != place[0]]
        self._written += [(number, place) for place in left]
        self._ordered += [(number, place) for place in (left if self._timed else moved)]
        for name in large.touched:
            if name in large.was and large.was[name] != slots.get(name):
                place = number, (large.was[name], name, None)
                self._freed.append(place)
                if name not in entries:
                    self._removed.append(place)
        return self._extent(large.first(), large.end, large.count(), was.written, left)

    def _add(self, number: int, places: Iterable[Place]) -> None:
        placed = [(number, place) for place in places]
        self._written += placed
        self._ordered += placed

    def _extent(
        self, first: int, end: int, size: int, written: int, places: Iterable[Place]
    ) -> Extent:
        if self._timed:
            written = max([written, *(entry[1] for _, _, entry in places)])
        return Extent(first, end, size, written)


def _whole(cell: Any) -> list[Entry] | dict[Any, Entry] | None:
    """The list or dict of a cell; None if it has no entries."""
    if isinstance(cell, LargeMap):
        cell = dict(cell.items())
    elif isinstance(cell, LargeList):
        cell = list(cell)
    found: list[Entry] | dict[Any, Entry] | None = cell or None
    return found
