"""Which rows are of one group, by a hash table of array operations: cheaper than a sort."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from raystream.state.keys import Hashes, Rows, continues, ordered_by, stable_order

Places = npt.NDArray[np.uint32]

_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""A factor for each try: the high bits of the product say which slot."""

_CHUNK = 8_192

_BUCKETS = np.uint64(0xD6E8FEB86659FD93)


def first_alike(hashes: Hashes, buckets: Rows) -> Places:
    """u32[n]: for each row the first row that has its hash and bucket; fewer than 2**32 rows.

    All rows are written to the slots of a table, the first row of a slot last, and read it there:
    those of a group have one slot. A group whose slot has gone to another one tries again.

    >>> first_alike(np.array([7, 5, 7, 7], np.uint64), np.array([0, 0, 0, 1])).tolist()
    [0, 1, 0, 3]
    """
    several = len(buckets) > 0 and bool((buckets != buckets[0]).any())
    by = buckets if several else None
    first, left = _try(hashes, by, _ODD[0])
    for odd in _ODD[1:]:
        if not len(left):
            return first
        found, again = _try(hashes[left], None if by is None else by[left], odd)
        first[left] = left[found]
        left = left[again]
    if len(left):
        first[left] = left[_first_sorted(hashes[left], buckets[left])]
    return first


def chunks(rows: int) -> list[slice]:
    """Slices of so many rows whose arrays stay in the caches, and need no new pages."""
    return [slice(low, min(low + _CHUNK, rows)) for low in range(0, rows, _CHUNK)]


def _try(hashes: Hashes, buckets: Rows | None, odd: int) -> tuple[Places, Rows]:
    """The first row in the slot of each row, and the rows whose group this one is not of."""
    rows = len(hashes)
    bits = max(4, (rows - 1).bit_length())
    table = np.empty(1 << bits, np.uint32)
    for part in reversed(chunks(rows)):
        numbers = np.arange(part.stop - 1, part.start - 1, -1, dtype=np.uint32)
        table[_slots(hashes, buckets, part, odd, bits)[::-1]] = numbers
    first, other = np.empty(rows, np.uint32), np.empty(rows, np.bool_)
    for part in chunks(rows):
        found = table.take(_slots(hashes, buckets, part, odd, bits))
        first[part] = found
        other[part] = hashes.take(found) != hashes[part]
        if buckets is not None:
            other[part] |= buckets.take(found) != buckets[part]
    return first, np.flatnonzero(other)


def _slots(hashes: Hashes, buckets: Rows | None, part: slice, odd: int, bits: int) -> Rows:
    tags = hashes[part]
    if buckets is not None:
        tags = tags ^ (buckets[part].view(np.uint64) * _BUCKETS)
    return ((tags * np.uint64(odd)) >> np.uint64(64 - bits)).view(np.int64)


def _first_sorted(hashes: Hashes, buckets: Rows) -> Rows:
    order = ordered_by(stable_order(hashes), buckets)
    begins = np.append(np.True_, ~continues(hashes[order], buckets[order]))
    first = np.empty(len(order), np.int64)
    first[order] = order[begins][np.cumsum(begins) - 1]
    return first
