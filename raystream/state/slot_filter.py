"""SlotFilter: a bit per slot of the hashes of a run rules out most keys that it does not have.

A Bloom filter with one function: the high bits of the hash. Tables are probed with the hashes of a
whole batch, so the slots of these are computed once for all runs of one size.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from raystream.state.keys import Hashes, Rows

_SPARE = 4
"""2**4 to 2**5 bits a hash: 3 to 6 % of the others are not ruled out."""

_Bytes = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Needles:
    """Hashes that are looked for, and their slots in filters of each size.

    Args:
        hashes: Of the keys.
    """

    hashes: Hashes
    _slots: dict[int, tuple[Rows, _Bytes]] = field(default_factory=dict)

    def slots(self, shift: int) -> tuple[Rows, _Bytes]:
        """Byte of each hash, and its bit in it."""
        found = self._slots.get(shift)
        if found is None:
            slots = (self.hashes >> np.uint64(shift)).view(np.int64)
            bits = np.left_shift(np.uint8(1), (slots & 7).astype(np.uint8))
            found = self._slots[shift] = slots >> 3, bits
        return found


class SlotFilter:
    """Which hashes a run may have.

    Args:
        hashes: Of the run.
        hash_bits: Their significant bits.

    >>> some = SlotFilter(np.array([5 << 60, 9 << 60], np.uint64), 64)
    >>> some.maybe(Needles(np.array([1 << 60, 9 << 60], np.uint64))).tolist()
    [1]
    """

    def __init__(self, hashes: Hashes, hash_bits: int) -> None:
        bits = min(max(1, hash_bits), (len(hashes) - 1).bit_length() + _SPARE)
        self._shift = max(1, hash_bits) - bits
        there = np.zeros(1 << bits, np.bool_)
        there[(hashes >> np.uint64(self._shift)).view(np.int64)] = True
        self._bits = np.packbits(there, bitorder="little")

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self._bits.nbytes

    def maybe(self, needles: Needles) -> Rows:
        """Positions of the needles that are not ruled out, rising."""
        where, bits = needles.slots(self._shift)
        return np.flatnonzero(self._bits.take(where) & bits)
