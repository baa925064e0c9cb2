"""Frames of a channel: the wire format between two subtasks over a socket.

One connection is one channel, so a frame is its length, kind and sequence number, then the
payload: Arrow IPC for a batch, a few bytes for everything else. Credit frames go the other way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.data.ipc import from_ipc, to_ipc
from raystream.runtime.channels.base import ChannelBroken
from raystream.runtime.channels.credit import Credit
from raystream.runtime.element import Element
from raystream.time.watermark import Idle, Watermark

_HEADER = struct.Struct("<QBQ")
_TIME = struct.Struct("<q")
_BARRIER = struct.Struct("<q?")
_CREDIT = struct.Struct("<QQQ")


class Kind(IntEnum):
    """Content of a frame."""

    BATCH = 1
    WATERMARK = 2
    IDLE = 3
    BARRIER = 4
    CREDIT = 5


_KINDS = {int(kind): kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Frame:
    """One received frame; the payload is decoded when the element is requested."""

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

    def credit(self) -> Credit:
        """The credit that a credit frame returns."""
        return Credit(*_CREDIT.unpack(self.payload))


def frame_of(element: Element) -> Frame:
    """The frame that carries this element."""
    if isinstance(element, Batch):
        return Frame(Kind.BATCH, to_ipc(element.frame))
    if isinstance(element, Watermark):
        return Frame(Kind.WATERMARK, _TIME.pack(element.time))
    if isinstance(element, Barrier):
        return Frame(Kind.BARRIER, _BARRIER.pack(element.checkpoint, element.final))
    return Frame(Kind.IDLE, b"")


def credit_frame(credit: Credit) -> Frame:
    """The frame that returns this credit to the sender."""
    return Frame(Kind.CREDIT, _CREDIT.pack(credit.size, credit.rows, credit.limit))


class FrameEncoder:
    """Encodes frames to bytes, numbered from 0; one per direction of a connection."""

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
    """Parses bytes, arriving in pieces of any size, into whole frames.

    >>> data = FrameEncoder().encode(frame_of(Watermark(5)))
    >>> parser = FrameParser(); parser.feed(data[:6])
    []
    >>> [frame.element() for frame in parser.feed(data[6:])]
    [Watermark(time=5)]
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._expected = 0

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """Add bytes; return the frames that are now complete.

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
        if number != self._expected or kind not in _KINDS:
            what = f"frame {self._expected} was expected, got frame {number} of kind {kind}"
            raise ChannelBroken(what)
        self._expected += 1
        return Frame(_KINDS[kind], bytes(memoryview(self._buffer)[start + _HEADER.size : end]))
