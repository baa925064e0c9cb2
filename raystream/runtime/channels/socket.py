"""The two ends of a channel over a socket."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.ids import ChannelId
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.connection import Connection, IoThread
from raystream.runtime.channels.credit import (
    DEFAULT_WINDOW,
    NO_LIMIT,
    Credit,
    ReceiveCredit,
    SendCredit,
)
from raystream.runtime.channels.wire import Frame, Kind, credit_frame, frame_of
from raystream.runtime.element import Element


class SocketWriter:
    """Sending end (ChannelWriter).

    Args:
        channel: Which channel, for messages.
        sock: Connected, after its handshake.
        io: The subtask's I/O thread.
        wake: Called when credit comes back or the channel breaks.
        window: Bytes of batches that may be in flight.
        limit: Rows that may be in flight, until the receiver sets another limit.
    """

    def __init__(
        self,
        channel: ChannelId,
        sock: socket.socket,
        io: IoThread,
        wake: Callable[[], None],
        window: int = DEFAULT_WINDOW,
        limit: int = NO_LIMIT,
    ) -> None:
        self._channel = channel
        self._wake = wake
        self._spent = SendCredit(window, limit)
        self._returned: deque[Credit] = deque()
        self._broken: str | None = None
        self._ended = False
        self._connection = Connection(sock, io, self._take, self._break)

    def send(self, element: Element) -> None:
        """Send; watermarks and barriers need no credit.

        Raises:
            ChannelBroken: the receiver is gone.
        """
        if self._broken is not None and not self._ended:
            raise ChannelBroken(self._broken, str(self._channel))
        frame = frame_of(element)
        if isinstance(element, Batch):
            self._spent.spend(len(frame.payload), len(element))
        self._connection.send(frame)
        self._ended = isinstance(element, Barrier) and element.final

    def has_credit(self) -> bool:
        """Whether rows may be sent now. A broken channel has credit, so that `send` raises."""
        return self._broken is not None or self._account().available()

    def free_rows(self) -> int:
        """Number of rows that may be sent now."""
        return NO_LIMIT if self._broken is not None else self._account().free_rows()

    def portion(self) -> int:
        """Number of rows to send at once where other channels could take them too."""
        return NO_LIMIT if self._broken is not None else self._account().portion()

    def load(self) -> float:
        """Fraction of the credit in use."""
        return 0.0 if self._broken is not None else self._account().load()

    def close(self) -> None:
        """Close this end."""
        self._connection.close()

    def _account(self) -> SendCredit:
        while self._returned:
            self._spent.give_back(self._returned.popleft())
        return self._spent

    def _take(self, frames: list[Frame]) -> None:
        self._returned.extend(frame.credit() for frame in frames if frame.kind is Kind.CREDIT)
        self._wake()

    def _break(self, reason: str) -> None:
        self._broken = reason
        self._wake()


class SocketReader:
    """Receiving end (ChannelReader). Created before the sender calls; until then it is silent.

    Args:
        channel: Which channel, for messages.
        wake: Called when something arrived or the channel broke.
        window: Bytes of batches that may be in flight; the same at the sender.
        limit: Rows that may be in flight, at first; the same at the sender.
    """

    def __init__(
        self,
        channel: ChannelId,
        wake: Callable[[], None],
        window: int = DEFAULT_WINDOW,
        limit: int = NO_LIMIT,
    ) -> None:
        self._channel = channel
        self._wake = wake
        self._credit = ReceiveCredit(window, limit)
        self._frames: deque[Frame] = deque()
        self._broken: str | None = None
        self._ended = False
        self._connection: Connection | None = None
        self._attaching = threading.Lock()

    def attach(self, sock: socket.socket, io: IoThread) -> None:
        """Attach the socket of the sender, which has just called.

        Raises:
            ChannelBroken: the channel is connected already.
        """
        with self._attaching:  # each caller has a thread of its own
            if self._connection is not None:
                what = "a second caller for a connected channel"
                raise ChannelBroken(what, str(self._channel))
            self._connection = Connection(sock, io, self._take, self._break)

    def poll(self) -> Element | None:
        """The next element, or None.

        Raises:
            ChannelBroken: the sender is gone (after everything it sent was read).
        """
        if not self._frames:
            # A final barrier is the end of a channel: what the sender does after it does not
            # matter.
            if self._broken is not None and not self._frames and not self._ended:
                raise ChannelBroken(self._broken, str(self._channel))
            return None
        frame = self._frames.popleft()
        if frame.kind is Kind.BATCH:
            self._credit.consumed(len(frame.payload))
            self._give_back()
        element = frame.element()
        self._ended = isinstance(element, Barrier) and element.final
        return element

    def close(self) -> None:
        """Close this end."""
        if self._connection is not None:
            self._connection.close()

    def worked(self, rows: int) -> None:
        """Return credit for these rows, now being processed."""
        self._credit.worked(rows)
        self._give_back()

    def allow(self, rows: int) -> None:
        """Limit the rows in flight to this number."""
        self._credit.allow(rows)
        self._give_back()

    def _give_back(self) -> None:
        if self._connection is not None and (credit := self._credit.due()) is not None:
            self._connection.send(credit_frame(credit))

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            if frame.kind is Kind.BATCH:
                self._credit.received(len(frame.payload))
            self._frames.append(frame)
        self._wake()

    def _break(self, reason: str) -> None:
        self._broken = reason
        self._wake()
