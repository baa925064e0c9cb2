"""Outbox: a sending end that never sends beyond its credit.

A step asks for credit once, but may then emit more than one batch to a channel: rows and dead
letters, early results, closing windows. Batches without credit wait here, and everything after
them, watermarks and barriers too, waits behind them: a channel always keeps its order.
"""

from __future__ import annotations

from collections import deque

from raystream.data.batch import Batch
from raystream.runtime.channels.base import ChannelWriter
from raystream.runtime.element import Element


class Outbox:
    """A ChannelWriter around another: `send` always accepts, `has_credit` says when to stop.

    While anything waits there is no credit, and a task without credit takes no rows and no event
    time: so at most the output of one piece of work waits.

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
        """Send now if credit allows, otherwise later.

        Raises:
            ChannelBroken: the receiver is gone.
        """
        self._waiting.append(element)
        self._pump()

    def has_credit(self) -> bool:
        """Whether more rows may be sent after the waiting ones; see `room`."""
        return self.room() > 0

    def room(self) -> int:
        """Send waiting elements as far as credit allows; return how many more rows may be sent.

        Raises:
            ChannelBroken: the receiver is gone.
        """
        self._pump()
        return 0 if self._waiting else self._writer.free_rows()

    def close(self) -> None:
        """Close the channel and drop what waits: its attempt is over."""
        self._waiting.clear()
        self._writer.close()

    def __len__(self) -> int:
        """Number of waiting elements."""
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
    """Split into the first `rows` rows, and the others."""
    if rows >= len(batch):
        return batch, None
    if rows <= 0:
        return None, batch
    return Batch(batch.frame[:rows]), Batch(batch.frame[rows:])
