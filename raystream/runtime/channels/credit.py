"""Credit: how much may be in flight on a channel, in bytes for memory and in rows for time.

The receiver says how many rows may be sent and not yet worked on; it knows what a row costs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from raystream.runtime.channels.base import ChannelBroken

DEFAULT_WINDOW = 4 * 1024 * 1024
"""Bytes of batches that may be in flight on one channel."""

NO_LIMIT = 1_000_000
"""Rows in flight of a receiver that is fast: bytes are the limit then."""

_PORTIONS = 4
"""Rows that somebody else could take too are sent in so many portions of a limit."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What a receiver gives back: bytes and rows; and how many rows may be in flight from now."""

    size: int
    rows: int
    limit: int


class SendCredit:
    """The sender's account of what is in flight. A batch may go while it is under both limits.

    So one batch larger than the window still passes, alone; rows can be cut to what is free.

    Args:
        window: Bytes.
        limit: Rows, until the receiver says another number.

    >>> credit = SendCredit(10); credit.spend(15, 1); credit.available()
    False
    >>> credit.give_back(Credit(15, 1, limit=3)); credit.free_rows()
    3
    """

    def __init__(self, window: int = DEFAULT_WINDOW, limit: int = NO_LIMIT) -> None:
        self._window = window
        self._limit = limit
        self._size = 0
        self._rows = 0

    def available(self) -> bool:
        """Whether rows may be sent."""
        return self._size < self._window and self._rows < self._limit

    def free_rows(self) -> int:
        """How many may be sent now."""
        return max(0, self._limit - self._rows) if self._size < self._window else 0

    def portion(self) -> int:
        """How many are sent at once, where others could take them too."""
        return min(self.free_rows(), max(1, self._limit // _PORTIONS))

    def load(self) -> float:
        """The part of the credit that is spent: the receiver with the least is the most free."""
        return max(self._size / self._window, self._rows / self._limit if self._limit else 1.0)

    def spend(self, size: int, rows: int) -> None:
        """A batch was sent."""
        self._size += size
        self._rows += rows

    def give_back(self, credit: Credit) -> None:
        """The receiver worked something off, or set another limit."""
        self._size -= credit.size
        self._rows -= credit.rows
        self._limit = credit.limit


class ReceiveCredit:
    """The receiver's account: checks the sender, and gives credit back in pieces worth a frame.

    >>> credit = ReceiveCredit(100, limit=4); credit.received(30); credit.consumed(20)
    >>> credit.due() is None
    True
    >>> credit.consumed(10); credit.due()
    Credit(size=30, rows=0, limit=4)
    >>> credit.worked(1); credit.due()
    Credit(size=0, rows=1, limit=4)
    """

    def __init__(self, window: int = DEFAULT_WINDOW, limit: int = NO_LIMIT) -> None:
        self._window = window
        self._received = 0  # written by the I/O thread only
        self._granted = 0  # written by the processing thread only
        self._size = 0
        self._rows = 0
        self._limit = self._told = limit

    def received(self, size: int) -> None:
        """A batch of `size` bytes arrived.

        Raises:
            ChannelBroken: the sender did not wait for credit.
        """
        if self._received - self._granted >= self._window:
            what = f"the sender sent beyond its window of {self._window} bytes"
            raise ChannelBroken(what)
        self._received += size

    def consumed(self, size: int) -> None:
        """A batch was taken: its bytes are free."""
        self._size += size

    def worked(self, rows: int) -> None:
        """So many rows are worked on now: as many more may come."""
        self._rows += rows

    def allow(self, rows: int) -> None:
        """So many may be in flight from now on."""
        self._limit = rows

    def due(self) -> Credit | None:
        """What to tell the sender now; None: not worth a frame yet."""
        enough = self._size * 4 >= self._window or self._rows * 4 >= max(1, self._limit)
        if not (enough or self._changed()):
            return None
        credit = Credit(self._size, self._rows, self._limit)
        self._granted += self._size
        self._size, self._rows, self._told = 0, 0, self._limit
        return credit

    def _changed(self) -> bool:
        """By enough to be told: measured costs are never twice the same."""
        return not 2 * self._told <= 3 * self._limit <= 4 * self._told
