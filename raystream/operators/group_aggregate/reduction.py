"""Whether it pays to aggregate rows before the exchange: only if they share keys."""

from __future__ import annotations

LEAST = 4.0
"""Rows per key from which it pays: with fewer the sums are no fewer than the rows, and wider."""

SKIPPED = 16
"""Number of batches until it is tried again: one of so many costs next to nothing."""

GROWN = 4
"""A batch so many times larger is tried at once: it has other keys per row."""


class Reduction:
    """Decides for each batch, by what earlier ones gave; the result does not depend on it.

    >>> reduction = Reduction()
    >>> reduction.tries(100)
    True
    >>> reduction.gave(100, 80); reduction.tries(100), reduction.tries(400)
    (False, True)
    """

    def __init__(self) -> None:
        self._skip = self._rows = 0

    def tries(self, rows: int) -> bool:
        """Whether a batch of so many rows is aggregated."""
        if self._skip and rows < GROWN * self._rows:
            self._skip -= 1
            return False
        return True

    def gave(self, rows: int, keys: int) -> None:
        """An aggregated batch had so many keys."""
        self._rows = rows
        self._skip = 0 if rows >= LEAST * keys else SKIPPED
