"""Outbox: the sending end that nobody can make send beyond its credit.

A step asks for credit once, and may then give out more than one batch to a channel: rows and dead
letters, early results, windows that close. What finds no credit waits here, and whatever comes
after it, watermarks and barriers too, waits behind it: a channel is in order always.
"""

from __future__ import annotations

from collections import deque

from raystream.data.batch import Batch
from raystream.runtime.channels.base import ChannelWriter
from raystream.runtime.element import Element


class Outbox:
    """A ChannelWriter around another: `send` always takes, `has_credit` says when to stop.

    While something waits there is no credit, and a task that has none takes no rows and no event
    time: so what waits is at most what one piece of work gives out.

    Args:
        writer: The channel.

    >>> from raystream.runtime.channels.memory import MemoryChannel
    >>> import polars as pl
    >>> channel = MemoryChannel(credit=1); outbox = Outbox(channel)
    >>> for n in (1, 2): outbox.send(Batch(pl.DataFrame({"n": [n]})))
    >>> outbox.has_credit(), len(outbox)
    (False, 1)
    """

    def __init__(self, writer: ChannelWriter) -> None:
        self._writer = writer
        self._waiting: deque[Element] = deque()

    def send(self, element: Element) -> None:
        """Send now if the channel may, else later.

        Raises:
            ChannelBroken: the receiver is gone.
        """
        self._waiting.append(element)
        self._pump()

    def has_credit(self) -> bool:
        """Whether more rows may be sent after what waited; see `room`."""
        return self.room() > 0

    def room(self) -> int:
        """Send what waited, as far as credit goes; how many more rows may be sent after it.

        Raises:
            ChannelBroken: the receiver is gone.
        """
        self._pump()
        return 0 if self._waiting else self._writer.free_rows()

    def close(self) -> None:
        """Close the channel; what waits was of an attempt that is over."""
        self._waiting.clear()
        self._writer.close()

    def __len__(self) -> int:
        """Elements that wait."""
        return len(self._waiting)

    def _pump(self) -> None:
        while self._waiting:
            element = self._waiting.popleft()
            if isinstance(element, Batch):
                now, later = cut(element, self._writer.free_rows())
                if later is not None:
                    self._waiting.appendleft(later)
                if now is None:
                    return
                element = now
            self._writer.send(element)


def cut(batch: Batch, rows: int) -> tuple[Batch | None, Batch | None]:
    """The first so many rows, and the others."""
    if rows >= len(batch):
        return batch, None
    if rows <= 0:
        return None, batch
    return Batch(batch.frame[:rows]), Batch(batch.frame[rows:])
