"""A channel within one process: a bounded queue of elements."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from raystream.data.batch import Batch
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.credit import NO_LIMIT, Credit, SendCredit
from raystream.runtime.element import Element

CREDIT_BATCHES = 4


class MemoryChannel:
    """Both ends of a channel between two tasks in one process.

    Args:
        wake: Called after each send: the receiver may have work.
        credit: Number of batches that may be in flight.
        limit: Number of rows that may be in flight, until the receiver sets another limit.

    >>> from raystream.time.watermark import Watermark
    >>> channel = MemoryChannel()
    >>> channel.send(Watermark(1)); channel.poll()
    Watermark(time=1)
    """

    def __init__(
        self,
        wake: Callable[[], None] = lambda: None,
        credit: int = CREDIT_BATCHES,
        limit: int = NO_LIMIT,
    ) -> None:
        self._queue: deque[Element] = deque()
        self._spent = SendCredit(credit, limit)
        self._limit = limit
        self._wake = wake
        self._closed = False

    def send(self, element: Element) -> None:
        """Append; the receiver reads in the same order."""
        if self._closed:
            text = "the receiving subtask is gone"
            raise ChannelBroken(text)
        if isinstance(element, Batch):
            self._spent.spend(1, len(element))
        self._queue.append(element)
        self._wake()

    def has_credit(self) -> bool:
        """Whether less than the credit is in flight."""
        return self._spent.available()

    def free_rows(self) -> int:
        """Number of rows that may be sent now."""
        return self._spent.free_rows()

    def portion(self) -> int:
        """Number of rows to send at once where other channels could take them too."""
        return self._spent.portion()

    def load(self) -> float:
        """Fraction of the credit in use."""
        return self._spent.load()

    def poll(self) -> Element | None:
        """The next element, or None."""
        if self._queue:
            element = self._queue.popleft()
            if isinstance(element, Batch):
                self._give_back(1, 0)
            return element
        if self._closed:
            text = "the sending subtask is gone"
            raise ChannelBroken(text)
        return None

    def worked(self, rows: int) -> None:
        """Return credit for these rows, now being processed."""
        self._give_back(0, rows)

    def allow(self, rows: int) -> None:
        """Limit the rows in flight to this number."""
        if rows != self._limit:
            self._limit = rows
            self._give_back(0, 0)

    def close(self) -> None:
        """Break the channel for the other end."""
        self._closed = True

    def _give_back(self, batches: int, rows: int) -> None:
        self._spent.give_back(Credit(batches, rows, self._limit))
        self._wake()
