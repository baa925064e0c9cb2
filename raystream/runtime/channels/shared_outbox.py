"""SharedOutbox: rows that any target may take go to the least loaded one, not to each in turn.

They wait here until a target has credit for them: a target that is slow, or busy with one
expensive row, does not delay the others. (Flink's adaptive partitioner, FLIP-339, also chooses by
load.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from raystream.data.batch import Batch
from raystream.runtime.channels.base import ChannelWriter
from raystream.runtime.channels.outbox import cut
from raystream.runtime.element import Element


class SharedOutbox:
    """The sending ends of one exchange whose rows may go to any target.

    Watermarks and barriers go to all targets, after the rows that came before them.

    Args:
        writers: The channels.

    >>> from raystream.runtime.channels.memory import MemoryChannel
    >>> import polars as pl
    >>> slow, free = MemoryChannel(limit=1), MemoryChannel(limit=8)
    >>> box = SharedOutbox([slow, free])
    >>> for n in range(4): box.send(Batch(pl.DataFrame({"n": [n]})))
    >>> slow.load(), free.load()
    (1.0, 0.75)
    """

    def __init__(self, writers: Sequence[ChannelWriter]) -> None:
        self._writers = list(writers)
        self._waiting: deque[Element] = deque()
        self._turn = 0

    def send(self, element: Element) -> None:
        """Send what credit allows now, the rest later.

        Raises:
            ChannelBroken: a receiver is gone.
        """
        self._waiting.append(element)
        self._pump()

    def room(self) -> int:
        """Send waiting elements as far as credit allows; return how many more rows all would take.

        Raises:
            ChannelBroken: a receiver is gone.
        """
        self._pump()
        return 0 if self._waiting else sum(writer.free_rows() for writer in self._writers)

    def close(self) -> None:
        """Close every channel and drop what waits: its attempt is over."""
        self._waiting.clear()
        for writer in self._writers:
            writer.close()

    def __len__(self) -> int:
        """Number of waiting elements."""
        return len(self._waiting)

    def _pump(self) -> None:
        while self._waiting:
            element = self._waiting[0]
            if isinstance(element, Batch):
                if not self._share_out(element):
                    return
            else:
                self._waiting.popleft()
                for writer in self._writers:
                    writer.send(element)

    def _share_out(self, batch: Batch) -> bool:
        """Send a portion of the first batch to the least loaded target; False: none has credit."""
        writer = self._freest()
        now, later = cut(batch, writer.portion())
        if now is None:
            return False
        self._waiting.popleft()
        if later is not None:
            self._waiting.appendleft(later)
        writer.send(now)
        return True

    def _freest(self) -> ChannelWriter:
        """The least loaded writer; equally loaded ones take turns."""
        self._turn = (self._turn + 1) % len(self._writers)
        inturn = self._writers[self._turn :] + self._writers[: self._turn]
        return min(inturn, key=lambda writer: writer.load())
