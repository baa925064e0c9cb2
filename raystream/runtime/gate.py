"""InputGate: several channels in, aligned barriers and one merged watermark out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from raystream.checkpoint.aligner import Aligned, Aligner, BarrierArrived, Block, UnblockAll
from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.ids import ChannelId, StepName
from raystream.operators.base import StepState
from raystream.runtime.channels.base import ChannelReader
from raystream.runtime.element import Element
from raystream.time.watermark import WatermarkMerge


class InputGate:
    """Reads channels in turn; a channel whose barrier has come is not read until all have come.

    Args:
        readers: The receiving end of every channel into this subtask.
        now: Monotonic seconds, asked once for each barrier of a channel.
    """

    def __init__(
        self,
        readers: Mapping[ChannelId, ChannelReader],
        now: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._readers = dict(readers)
        self._order = list(readers)
        self._next = 0
        self._blocked: set[ChannelId] = set()
        self._aligner = Aligner(self._order)
        self._merge: WatermarkMerge[ChannelId] = WatermarkMerge(self._order)
        self._now = now
        self._first_barrier: float | None = None
        self._align_s = 0.0

    def poll(self) -> Element | None:
        """One element of one channel, watermarks merged; None if no open channel has any."""
        owed = self._merge.owed()
        if owed is not None:
            return owed
        for _ in range(len(self._order)):
            channel = self._order[self._next]
            self._next = (self._next + 1) % len(self._order)
            if channel in self._blocked:
                continue
            element = self._readers[channel].poll()
            if element is not None:
                seen = self._seen(channel, element)
                if seen is not None:
                    return seen
        return None

    def handled(self, element: Element, seconds: float) -> None:
        """Whoever sent it decided about its size."""

    def _seen(self, channel: ChannelId, element: Element) -> Element | None:
        if isinstance(element, Batch):
            return element
        if isinstance(element, Barrier):
            return self._barrier(channel, element)
        return self._merge.update(channel, element)

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
        """Channels wake the task themselves."""
        return None

    def trigger(self, barrier: Barrier) -> None:
        """Only sources are triggered."""
        text = f"{barrier} was triggered at a subtask that is not a source"
        raise AssertionError(text)

    def drain(self, *, close_windows: bool) -> None:
        """Only sources drain; what they send then arrives as usual."""

    def dry(self) -> bool:
        """Never: a gate ends by a final barrier."""
        return False

    def snapshot(self, checkpoint: int) -> Mapping[StepName, StepState]:
        """Aligned channels hold nothing that a checkpoint needs."""
        return {}

    def committed(self, checkpoint: int) -> None:
        """Nothing to do."""

    def held_back_by(self) -> list[str]:
        """Channels that hold the watermark back."""
        return [str(channel) for channel in self._merge.held_back_by()]

    def watermark(self) -> int | None:
        """Merged event time."""
        return self._merge.current

    def lag(self) -> Mapping[str, int]:
        """Channels know of no lag."""
        return {}

    def splits(self) -> list[dict[str, Any]]:
        """Channels read no splits."""
        return []

    def align_seconds(self) -> float:
        """From the first barrier of the last checkpoint to its last."""
        return self._align_s

    def close(self) -> None:
        """Close every channel."""
        for reader in self._readers.values():
            reader.close()
