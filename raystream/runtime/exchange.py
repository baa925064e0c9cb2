"""Exchanges: how the rows of a chain find the channels that take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raystream.data.batch import Batch
from raystream.data.hashing import partition
from raystream.ids import ChannelId, StepName
from raystream.plan.physical import ExchangeKind, ExchangeSpec
from raystream.runtime.channels.base import ChannelWriter
from raystream.runtime.channels.outbox import Outbox
from raystream.runtime.element import Element


class Exchange:
    """The sending side of one ExchangeSpec in one subtask.

    Args:
        spec: What kind, by which keys.
        writers: Sending ends, by index of the target subtask (one if forward).
    """

    def __init__(self, spec: ExchangeSpec, writers: Sequence[ChannelWriter]) -> None:
        self.spec = spec
        self._writers = [Outbox(writer) for writer in writers]
        self._turn = 0

    def emit(self, batch: Batch) -> None:
        """Send rows where they belong."""
        kind = self.spec.kind
        if kind is ExchangeKind.HASH and len(self._writers) > 1:
            self._by_key(batch)
        elif kind is ExchangeKind.BROADCAST:
            self.broadcast(batch)
        elif kind is ExchangeKind.REBALANCE:
            self._turn = (self._turn + 1) % len(self._writers)
            self._writers[self._turn].send(batch)
        else:
            self._writers[0].send(batch)

    def _by_key(self, batch: Batch) -> None:
        frames = partition(batch.frame, list(self.spec.keys), len(self._writers))
        for writer, frame in zip(self._writers, frames, strict=True):
            if frame is not None and frame.height:
                writer.send(Batch(frame))

    def broadcast(self, element: Element) -> None:
        """Send the same to all: watermarks, barriers, broadcast rows."""
        for writer in self._writers:
            writer.send(element)

    def has_credit(self) -> bool:
        """Whether every target can take a batch; each is sent what waited for its credit."""
        return all([writer.has_credit() for writer in self._writers])

    def close(self) -> None:
        """Close every channel."""
        for writer in self._writers:
            writer.close()


class Outputs:
    """All exchanges of one subtask, by step and tag.

    Args:
        exchanges: The sending sides.
    """

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._all = list(exchanges)
        self._by_tag: dict[tuple[StepName, str], list[Exchange]] = {}
        for exchange in exchanges:
            where = (exchange.spec.source_step, exchange.spec.tag)
            self._by_tag.setdefault(where, []).append(exchange)

    def emit(self, step: StepName, tag: str, batch: Batch) -> bool:
        """Send rows of output `tag` of `step`; False if nobody consumes it."""
        exchanges = self._by_tag.get((step, tag), [])
        for exchange in exchanges:
            exchange.emit(batch)
        return bool(exchanges)

    def consumed(self, step: StepName, tag: str) -> bool:
        """Whether somebody consumes this output."""
        return (step, tag) in self._by_tag

    def broadcast(self, element: Element) -> None:
        """Watermarks and barriers go everywhere."""
        for exchange in self._all:
            exchange.broadcast(element)

    def has_credit(self) -> bool:
        """Whether every exchange can take a batch; each channel is sent what waited for credit."""
        return all([exchange.has_credit() for exchange in self._all])

    def close(self) -> None:
        """Close every channel."""
        for exchange in self._all:
            exchange.close()


def outputs_of(
    exchanges: Sequence[ExchangeSpec], writers: Mapping[ChannelId, ChannelWriter]
) -> Outputs:
    """Group the sending ends of a subtask into its exchanges, targets in order of index."""
    sides = []
    for spec in exchanges:
        mine = sorted(channel for channel in writers if channel.exchange == spec.id)
        sides.append(Exchange(spec, [writers[channel] for channel in mine]))
    return Outputs(sides)
