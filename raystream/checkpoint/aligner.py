"""Barrier alignment: a subtask snapshots when the barrier has arrived on all of its channels."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from raystream.checkpoint.barrier import Barrier
from raystream.errors import RaystreamError

C = TypeVar("C", bound=Hashable)


@dataclass(frozen=True, slots=True)
class BarrierArrived(Generic[C]):
    """Event: the next element of `channel` is `barrier`."""

    channel: C
    barrier: Barrier


@dataclass(frozen=True, slots=True)
class Block(Generic[C]):
    """Command: stop reading `channel` until UnblockAll."""

    channel: C


@dataclass(frozen=True, slots=True)
class Aligned:
    """Command: everything before `barrier` was read; take the snapshot and forward the barrier."""

    barrier: Barrier


@dataclass(frozen=True, slots=True)
class UnblockAll:
    """Command: read all channels again (follows directly after Aligned)."""


class Aligner(Generic[C]):
    """Aligns the barriers of one subtask (Flink's exactly-once alignment).

    Alignments are never cancelled: a checkpoint that fails takes its attempt with it.

    Args:
        channels: All input channels, at least one; any hashable values.

    >>> aligner = Aligner(["a", "b"])
    >>> aligner.handle(BarrierArrived("a", Barrier(1)))
    [Block(channel='a')]
    >>> aligner.handle(BarrierArrived("b", Barrier(1)))
    [Aligned(barrier=Barrier(checkpoint=1, final=False)), UnblockAll()]
    """

    def __init__(self, channels: Iterable[C]) -> None:
        self._channels = frozenset(channels)
        if not self._channels:
            text = "a subtask without input channels has nothing to align"
            raise ValueError(text)
        self._arrived: set[C] = set()
        self._last: Barrier | None = None

    def handle(self, event: BarrierArrived[C]) -> list[Block[C] | Aligned | UnblockAll]:
        """Handle the arrival of one barrier.

        Raises:
            RaystreamError: unknown channel, a second barrier on a channel, or a barrier of a
                checkpoint other than the expected one: the channels are out of step.
        """
        self._check(event)
        self._last = event.barrier
        self._arrived.add(event.channel)
        if self._arrived != self._channels:
            return [Block(event.channel)]
        self._arrived.clear()
        return [Aligned(event.barrier), UnblockAll()]

    @property
    def blocked(self) -> frozenset[C]:
        """Channels that must not be read now."""
        return frozenset(self._arrived)

    def waiting_for(self) -> frozenset[C]:
        """Channels whose barrier is missing while an alignment is under way, else none."""
        return self._channels - self._arrived if self._arrived else frozenset()

    def _check(self, event: BarrierArrived[C]) -> None:
        if event.channel not in self._channels:
            _out_of_step(event, "the channel is unknown")
        if event.channel in self._arrived:
            _out_of_step(event, "the channel is blocked by this checkpoint already")
        problem = self._unexpected(event.barrier)
        if problem:
            _out_of_step(event, problem)

    def _unexpected(self, barrier: Barrier) -> str:
        if self._last is None:
            return ""
        if self._arrived:
            return "" if barrier == self._last else f"{self._last} is being aligned"
        if self._last.final:
            return f"nothing may follow the final {self._last}"
        following = self._last.checkpoint + 1
        return "" if barrier.checkpoint == following else f"checkpoint {following} is next"

    def __repr__(self) -> str:
        return f"Aligner({len(self._arrived)}/{len(self._channels)} of {self._last})"


def _out_of_step(event: BarrierArrived[C], why: str) -> None:
    what = f"{event.barrier} arrived out of step: {why}"
    raise RaystreamError(what, f"channel {event.channel}")
