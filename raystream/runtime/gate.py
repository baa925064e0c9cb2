"""InputGate: merges several channels, with aligned barriers and one watermark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.checkpoint.aligner import Aligned, Aligner, BarrierArrived, Block, UnblockAll
from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.ids import ChannelId, StepName
from raystream.observe.silence import Silence
from raystream.operators.operator import StepState
from raystream.runtime.channels.base import ChannelReader
from raystream.runtime.channels.credit import NO_LIMIT
from raystream.runtime.channels.outbox import cut
from raystream.runtime.element import Element
from raystream.runtime.loading import InputEnded, Loading
from raystream.time.watermark import Idle, Watermark, WatermarkMerge


class InputGate:
    """Reads channels in turn; a channel whose barrier arrived is blocked until all have arrived.

    Args:
        readers: The receiving end of every channel into this subtask.
        now: Monotonic seconds, read once per barrier of a channel.
        gathers: Merge small batches of several channels into one, for steps with a high cost per
            call.
        ports: Exchange -> input of the first step for its rows; 0 if absent.
        loading: Channels that are read whole before the others, if there are.
    """

    def __init__(
        self,
        readers: Mapping[ChannelId, ChannelReader],
        now: Callable[[], float] = lambda: 0.0,
        *,
        gathers: bool = False,
        ports: Mapping[int, int] | None = None,
        loading: Loading | None = None,
    ) -> None:
        self._loading = loading
        self._ports = ports or {}
        self._port = 0
        self._gathers = gathers
        self._next_of: dict[ChannelId, Element] = {}
        self._ahead: int | None = None
        self._readers = dict(readers)
        self._order = list(readers)
        self._next = 0
        self._blocked: set[ChannelId] = set()
        self._aligner = Aligner(self._order)
        self._merge: WatermarkMerge[ChannelId] = WatermarkMerge(self._order)
        self._now = now
        self._first_barrier: float | None = None
        self._align_s = 0.0

    def poll(self, most: int = NO_LIMIT) -> Element | InputEnded | None:
        """One element of one channel, watermarks merged; None if no unblocked channel has any.

        Of a larger batch only the first `most` rows; the others follow with the next calls.
        """
        due = None if self._loading is None else self._loading.told()
        if due is not None:
            return due
        owed = self._told(self._merge.owed())
        return self._turn(most) if owed is None else owed

    def _told(self, news: Watermark | Idle | None) -> Watermark | Idle | None:
        return news if self._loading is None else self._loading.after(news)

    def _turn(self, most: int) -> Element | InputEnded | None:
        quiet = 0
        while quiet < len(self._order):
            channel = self._order[self._next]
            self._next = (self._next + 1) % len(self._order)
            shut = channel in self._blocked or self._held(channel)
            element = None if shut else self._piece(channel, most)
            quiet = quiet + 1 if element is None else 0
            seen = None if element is None else self._seen(channel, element)
            if seen is not None:
                return seen
        return None

    def _held(self, channel: ChannelId) -> bool:
        aligning = self._first_barrier is not None
        return self._loading is not None and self._loading.holds(channel, aligning=aligning)

    def port(self) -> int:
        """Input of the first step to which the last batch belongs."""
        return self._port

    def allow(self, rows: int) -> None:
        """Limit the rows waiting in front of the task; each channel gets a share."""
        if rows == self._ahead:
            return
        self._ahead = rows
        each = rows if rows >= NO_LIMIT else self._share_of(rows)
        for reader in self._readers.values():
            reader.allow(each)

    def _share_of(self, rows: int) -> int:
        """At least one per channel; rounded up where merged batches make a call cheaper."""
        channels = max(1, len(self._order))
        return -(-rows // channels) if self._gathers else max(1, rows // channels)

    def _piece(self, channel: ChannelId, most: int) -> Element | None:
        element = self._taken(channel, most)
        if not (self._gathers and isinstance(element, Batch)):
            return element
        found, rows = [element], len(element)
        for other in (channel, *self._order):
            while rows < most and self._fits(other, channel, element):
                more = self._taken(other, most - rows)
                assert isinstance(more, Batch)
                found.append(more)
                rows += len(more)
        return Batch(pl.concat([each.frame for each in found])) if len(found) > 1 else element

    def _fits(self, other: ChannelId, channel: ChannelId, first: Batch) -> bool:
        """Whether the next element of another channel has rows of the same kind; it is buffered."""
        if other in self._blocked or other.exchange != channel.exchange:
            return False
        if other not in self._next_of:
            element = self._readers[other].poll()
            if element is None:
                return False
            self._next_of[other] = element
        rest = self._next_of[other]
        return isinstance(rest, Batch) and rest.frame.schema == first.frame.schema

    def _taken(self, channel: ChannelId, most: int) -> Element | None:
        """The next element, or its first rows; returns credit for them."""
        element = self._next_of.pop(channel, None)
        if element is None:
            element = self._readers[channel].poll()
        if not isinstance(element, Batch):
            return element
        now, later = cut(element, most)
        if later is not None:
            self._next_of[channel] = later
        assert now is not None
        self._readers[channel].worked(len(now))
        return now

    def _seen(self, channel: ChannelId, element: Element) -> Element | InputEnded | None:
        if isinstance(element, Batch):
            self._port = self._ports.get(channel.exchange, 0)
            return element
        if isinstance(element, Barrier):
            return self._barrier(channel, element)
        loading, news = self._loading, self._merge.update(channel, element)
        if loading is None:
            return news
        loading.saw(channel, element)
        seen = loading.after(news)
        return loading.told() if seen is None else seen

    def _barrier(self, channel: ChannelId, barrier: Barrier) -> Barrier | None:
        aligned = None
        now = self._now()
        first = now if self._first_barrier is None else self._first_barrier
        self._first_barrier = first
        for command in self._aligner.handle(BarrierArrived(channel, barrier)):
            match command:
                case Block(blocked):
                    self._blocked.add(blocked)
                case Aligned(done):
                    aligned = done
                    self._align_s, self._first_barrier = now - first, None
                case UnblockAll():
                    self._blocked.clear()
        return aligned

    def deadline(self) -> float | None:
        """None: channels wake the task themselves."""
        return None

    def trigger(self, barrier: Barrier) -> None:
        """Fail: only sources are triggered."""
        text = f"{barrier} was triggered at a subtask that is not a source"
        raise AssertionError(text)

    def drain(self, *, close_windows: bool) -> None:
        """Do nothing: only sources drain; what they send then arrives as usual."""

    def hear(self, others: int) -> None:
        """Do nothing: only sources are aligned."""

    def lowest(self) -> int | None:
        """None: only sources are aligned."""
        return None

    def dry(self) -> bool:
        """Always False: a gate ends with a final barrier."""
        return False

    def snapshot(self, checkpoint: int) -> Mapping[StepName, StepState]:
        """Empty: aligned channels hold nothing that a checkpoint needs."""
        return {}

    def committed(self, checkpoint: int) -> None:
        """Do nothing."""

    def held_back_by(self) -> list[str]:
        """Channels that hold back the watermark."""
        return [str(channel) for channel in self._merge.held_back_by()]

    def lag(self) -> Mapping[str, int]:
        """Empty: channels have no lag."""
        return {}

    def splits(self) -> list[dict[str, Any]]:
        """Empty: channels have no splits."""
        return []

    def silent(self) -> Mapping[str, Silence]:
        """Empty: broken channels are reported as failures."""
        return {}

    def origin(self, places: Sequence[int]) -> str:
        """Text for a row that came through an exchange: its record is no longer known."""
        return "behind an exchange, where the place of its record is not known"

    def align_seconds(self) -> float:
        """Seconds from the first to the last barrier of the last checkpoint."""
        return self._align_s

    def close(self) -> None:
        """Close every channel."""
        for reader in self._readers.values():
            reader.close()
