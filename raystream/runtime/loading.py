"""Loading: inputs of a step that are read whole before the others.

The others are held back by credit: their channels are not read. A barrier cannot be aligned so, so
once one has arrived they are read up to it, and the step keeps what comes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from raystream.ids import ChannelId
from raystream.runtime.element import Element
from raystream.time.watermark import END_OF_TIME, Idle, Watermark


@dataclass(frozen=True, slots=True)
class InputEnded:
    """Behind the last row of an input that is read first."""

    port: int


class Loading:
    """Which channels are read now, and what waits for the end of the first ones.

    Args:
        first: Channels that are read whole before the others.
        port: Input of the step that they belong to.

    >>> loading = Loading((), 1)
    >>> loading.told(), loading.told()
    (InputEnded(port=1), None)
    """

    def __init__(self, first: Collection[ChannelId], port: int) -> None:
        self._first, self._open = frozenset(first), set(first)
        self._port, self._is_told = port, False
        self._news: list[Watermark | Idle] = []

    def holds(self, channel: ChannelId, *, aligning: bool) -> bool:
        """Whether a channel is not read for now."""
        return bool(self._open) and channel not in self._first and not aligning

    def saw(self, channel: ChannelId, news: Element) -> None:
        """Event time of a channel."""
        if isinstance(news, Watermark) and news.time == END_OF_TIME:
            self._open.discard(channel)

    def after(self, news: Watermark | Idle | None) -> Watermark | Idle | None:
        """Event time of all channels: it waits, since rows behind the step wait."""
        if self._is_told or news is None:
            return news
        if isinstance(news, Watermark):
            self._news = [news]
        else:
            self._news = [*self._news[:1], news]
        return None

    def told(self) -> InputEnded | Watermark | Idle | None:
        """What is due now that all have ended: that, then event time."""
        if self._open:
            return None
        if not self._is_told:
            self._is_told = True
            return InputEnded(self._port)
        return self._news.pop(0) if self._news else None
