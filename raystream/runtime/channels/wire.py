"""Frames of a channel and its byte credits: what two subtasks say to each other over a socket.

One connection is one channel, so a frame is its length, kind and sequence number, then the payload:
Arrow IPC for a batch, a few bytes for everything else. Credit frames go the other way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.data.ipc import from_ipc, to_ipc
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.element import Element
from raystream.time.watermark import Idle, Watermark

DEFAULT_WINDOW = 4 * 1024 * 1024
"""Bytes of batches that may be in flight on one channel."""

_HEADER = struct.Struct("<QBQ")
_TIME = struct.Struct("<q")
_BARRIER = struct.Struct("<q?")
_CREDIT = struct.Struct("<Q")


class Kind(IntEnum):
    """What a frame holds."""

    BATCH = 1
    WATERMARK = 2
    IDLE = 3
    BARRIER = 4
    CREDIT = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """One received frame; the payload is decoded when the element is asked for."""

    kind: Kind
    payload: bytes

    def element(self) -> Element:
        """The element it carries.

        >>> Frame(Kind.WATERMARK, _TIME.pack(7)).element()
        Watermark(time=7)
        """
        if self.kind is Kind.BATCH:
            return Batch(from_ipc(self.payload))
        if self.kind is Kind.WATERMARK:
            return Watermark(*_TIME.unpack(self.payload))
        if self.kind is Kind.BARRIER:
            return Barrier(*_BARRIER.unpack(self.payload))
        return Idle()

    def credit(self) -> int:
        """Bytes that a credit frame gives back."""
        (granted,) = _CREDIT.unpack(self.payload)
        return int(granted)


def frame_of(element: Element) -> Frame:
    """The frame that carries this element."""
    if isinstance(element, Batch):
        return Frame(Kind.BATCH, to_ipc(element.frame))
    if isinstance(element, Watermark):
        return Frame(Kind.WATERMARK, _TIME.pack(element.time))
    if isinstance(element, Barrier):
        return Frame(Kind.BARRIER, _BARRIER.pack(element.checkpoint, element.final))
    return Frame(Kind.IDLE, b"")


def credit_frame(granted: int) -> Frame:
    """The frame that gives `granted` bytes back to the sender."""
    return Frame(Kind.CREDIT, _CREDIT.pack(granted))


class FrameEncoder:
    """Frames to bytes, numbered from 0; one per direction of a connection."""

    def __init__(self) -> None:
        self._next = 0

    def encode(self, frame: Frame) -> bytes:
        """Header and payload.

        >>> len(FrameEncoder().encode(Frame(Kind.IDLE, b"")))
        17
        """
        header = _HEADER.pack(len(frame.payload), frame.kind, self._next)
        self._next += 1
        return header + frame.payload


class FrameParser:
    """Bytes as they come, in pieces of any size, to whole frames.

    >>> data = FrameEncoder().encode(frame_of(Watermark(5)))
    >>> parser = FrameParser(); parser.feed(data[:6])
    []
    >>> [frame.element() for frame in parser.feed(data[6:])]
    [Watermark(time=5)]
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._expected = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now.

        Raises:
            ChannelBroken: a number is missing or the kind is unknown: bytes were lost.
        """
        self._buffer += data
        frames, position = [], 0
        while (end := self._end_of_frame(position)) is not None:
            frames.append(self._frame(position, end))
            position = end
        if position:
            del self._buffer[:position]
        return frames

    def _end_of_frame(self, start: int) -> int | None:
        if len(self._buffer) - start < _HEADER.size:
            return None
        end = start + _HEADER.size + int(_HEADER.unpack_from(self._buffer, start)[0])
        return end if end <= len(self._buffer) else None

    def _frame(self, start: int, end: int) -> Frame:
        _, kind, number = _HEADER.unpack_from(self._buffer, start)
        if number != self._expected or kind not in Kind.__members__.values():
            what = f"frame {self._expected} was expected, got frame {number} of kind {kind}"
            raise ChannelBroken(what)
        self._expected += 1
        return Frame(Kind(kind), bytes(memoryview(self._buffer)[start + _HEADER.size : end]))


class SendCredit:
    """The sender's account of batches under way. A batch may go while they are under the window.

    So one batch larger than the window still passes, alone.

    >>> credit = SendCredit(10); credit.spend(15); credit.available()
    False
    >>> credit.give_back(15); credit.available()
    True
    """

    def __init__(self, window: int = DEFAULT_WINDOW) -> None:
        self._window = window
        self._under_way = 0

    def available(self) -> bool:
        """Whether a batch may be sent."""
        return self._under_way < self._window

    def spend(self, size: int) -> None:
        """A batch of `size` bytes was sent."""
        self._under_way += size

    def give_back(self, size: int) -> None:
        """The receiver worked `size` bytes off."""
        self._under_way -= size


class ReceiveCredit:
    """The receiver's account: checks the sender, and gives credit back in pieces worth a frame.

    >>> credit = ReceiveCredit(100); credit.received(30); credit.consumed(20), credit.consumed(10)
    (0, 30)
    """

    def __init__(self, window: int = DEFAULT_WINDOW) -> None:
        self._window = window
        self._received = 0  # written by the I/O thread only
        self._granted = 0  # written by the processing thread only
        self._owed = 0

    def received(self, size: int) -> None:
        """A batch of `size` bytes arrived.

        Raises:
            ChannelBroken: the sender did not wait for credit.
        """
        if self._received - self._granted >= self._window:
            what = f"the sender sent beyond its window of {self._window} bytes"
            raise ChannelBroken(what)
        self._received += size

    def consumed(self, size: int) -> int:
        """A batch was taken by the task; how many bytes to give back now (0: not yet)."""
        self._owed += size
        if self._owed * 4 < self._window:
            return 0
        granted, self._owed = self._owed, 0
        self._granted += granted
        return granted
