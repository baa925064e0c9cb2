"""A channel inside one process: a bounded queue of elements."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from raystream.data.batch import Batch
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.element import Element

CREDIT_BATCHES = 4


class MemoryChannel:
    """Both ends of a channel between two tasks of one process.

    Args:
        wake: Called after each send: the receiver may have work.
        credit: How many batches may be under way.

    >>> from raystream.time.watermark import Watermark
    >>> channel = MemoryChannel()
    >>> channel.send(Watermark(1)); channel.poll()
    Watermark(time=1)
    """

    def __init__(
        self, wake: Callable[[], None] = lambda: None, credit: int = CREDIT_BATCHES
    ) -> None:
        self._queue: deque[Element] = deque()
        self._batches = 0
        self._credit = credit
        self._wake = wake
        self._closed = False

    def send(self, element: Element) -> None:
        """Append; the receiver reads in the same order."""
        if self._closed:
            text = "the receiving subtask is gone"
            raise ChannelBroken(text)
        self._batches += isinstance(element, Batch)
        self._queue.append(element)
        self._wake()

    def has_credit(self) -> bool:
        """Whether fewer batches than the credit are under way."""
        return self._batches < self._credit

    def poll(self) -> Element | None:
        """The next element, or None."""
        if self._queue:
            element = self._queue.popleft()
            if isinstance(element, Batch):
                self._batches -= 1
                self._wake()
            return element
        if self._closed:
            text = "the sending subtask is gone"
            raise ChannelBroken(text)
        return None

    def close(self) -> None:
        """Break the channel for the other end."""
        self._closed = True
