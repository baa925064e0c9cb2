"""Credit: limit of what is in flight on a channel, in bytes (memory) and in rows (time).

The receiver sets how many rows may be sent and not yet processed, as it knows the cost of a row.
"""

from __future__ import annotations

from dataclasses import dataclass

from raystream.runtime.channels.base import ChannelBroken

DEFAULT_WINDOW = 4 * 1024 * 1024
"""Bytes of batches that may be in flight on one channel."""

NO_LIMIT = 1_000_000
"""Row limit of a fast receiver: bytes are the limit then."""

_PORTIONS = 4
"""Rows are sent in about this many portions of the limit. Those that other channels could take too
are not sent in larger ones, and nothing in smaller ones: a sender that fills each gap at once would
send fewer and fewer rows at a time (the silly window syndrome of TCP)."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What a receiver returns: bytes, rows, and the new limit of rows in flight."""

    size: int
    rows: int
    limit: int


class SendCredit:
    """The sender's account of what is in flight. A batch may be sent while it is below both limits.

    So one batch larger than the window still passes, alone; rows can be split to what is free.

    Args:
        window: Bytes.
        limit: Rows, until the receiver sets another limit.

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
        """Number of rows that may be sent now; 0 while it is less than a portion of the limit."""
        free = self._limit - self._rows
        enough = self._size < self._window and free > 0 and free * _PORTIONS >= self._limit
        return free if enough else 0

    def portion(self) -> int:
        """Number of rows to send at once where other channels could take them too."""
        return min(self.free_rows(), max(1, self._limit // _PORTIONS))

    def load(self) -> float:
        """Fraction of the credit in use: the receiver with the lowest is the least loaded."""
        return max(self._size / self._window, self._rows / self._limit if self._limit else 1.0)

    def spend(self, size: int, rows: int) -> None:
        """Record that a batch was sent."""
        self._size += size
        self._rows += rows

    def give_back(self, credit: Credit) -> None:
        """Apply returned credit or a new limit of the receiver."""
        self._size -= credit.size
        self._rows -= credit.rows
        self._limit = credit.limit


class ReceiveCredit:
    """The receiver's account: checks the sender, and returns credit in pieces worth a frame.

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
        """Record that a batch was taken: its bytes are free."""
        self._size += size

    def worked(self, rows: int) -> None:
        """Record that this many rows are being processed: as many more may be sent."""
        self._rows += rows

    def allow(self, rows: int) -> None:
        """Limit the rows in flight to this number from now on."""
        self._limit = rows

    def due(self) -> Credit | None:
        """Credit to send to the sender now; None: not worth a frame yet."""
        enough = self._size * 4 >= self._window or self._rows * 4 >= max(1, self._limit)
        if not (enough or self._changed()):
            return None
        credit = Credit(self._size, self._rows, self._limit)
        self._granted += self._size
        self._size, self._rows, self._told = 0, 0, self._limit
        return credit

    def _changed(self) -> bool:
        """Whether the limit changed enough to send it: measured costs never repeat exactly."""
        return not 2 * self._told <= 3 * self._limit <= 4 * self._told
