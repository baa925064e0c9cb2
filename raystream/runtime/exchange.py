"""Exchanges: how the rows of a chain are distributed to channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raystream.data.batch import PLACE, Batch
from raystream.data.hashing import partition
from raystream.ids import ChannelId, StepName
from raystream.plan.physical import ExchangeKind, ExchangeSpec
from raystream.runtime.channels.base import ChannelWriter
from raystream.runtime.channels.credit import NO_LIMIT
from raystream.runtime.channels.outbox import Outbox
from raystream.runtime.channels.shared_outbox import SharedOutbox
from raystream.runtime.element import Element

_PROVEN_ROOM = 256
"""From so many rows of room on, those behind are known to be fast."""

_LEAST_SHARE = 1 / 16
"""Of the rows taken that are emitted: if more of them are, once, those behind have to wait."""

_RARE = 1 / _PROVEN_ROOM
"""The same where those behind may be slow: dead letters, late rows and rare branches seldom come,
and a single row of room for them must not make every row a batch of its own."""

_MARGIN = 4
"""Those that may be slow get so many times less than their share would allow."""

_FADES = 0.8
"""Weight of the earlier share, with each new piece that has less."""


class Exchange:
    """The sending side of one ExchangeSpec in one subtask.

    Args:
        spec: Kind and keys.
        writers: Sending ends, by index of the target subtask (one if forward).
    """

    def __init__(self, spec: ExchangeSpec, writers: Sequence[ChannelWriter]) -> None:
        self.spec = spec
        shared = spec.kind is ExchangeKind.REBALANCE and len(writers) > 1
        self._shared = SharedOutbox(writers) if shared else None
        self._writers = [] if shared else [Outbox(writer) for writer in writers]
        self._share = 1.0
        self._emitted = 0

    def emit(self, batch: Batch) -> None:
        """Send rows to their targets."""
        self._emitted += len(batch)
        kind = self.spec.kind
        if self._shared is not None:
            self._shared.send(batch)
        elif kind is ExchangeKind.HASH and len(self._writers) > 1:
            self._by_key(batch)
        elif kind is ExchangeKind.BROADCAST:
            self.broadcast(batch)
        else:
            self._writers[0].send(batch)

    def _by_key(self, batch: Batch) -> None:
        frames = partition(batch.frame, list(self.spec.keys), len(self._writers))
        for writer, frame in zip(self._writers, frames, strict=True):
            if frame is not None and frame.height:
                writer.send(Batch(frame))

    def broadcast(self, element: Element) -> None:
        """Send the same element to all targets: watermarks, barriers, broadcast rows."""
        for box in self._boxes():
            box.send(element)

    def took(self, rows: int) -> None:
        """Note how many rows were taken for what was emitted: a filter drops, a sum adds up."""
        share, self._emitted = self._emitted / max(1, rows), 0
        self._share = max(share, self._share * _FADES + share * (1 - _FADES))

    def room(self) -> int:
        """Number of rows that may be taken for those that are accepted.

        They are accepted by the fullest target, or by all if rows may go to any. Sends what waited
        for credit first. Rows by key are assumed to spread evenly.
        """
        least = min([box.room() for box in self._boxes()])
        least *= len(self._writers) if self.spec.kind is ExchangeKind.HASH else 1
        if least < _PROVEN_ROOM:
            rare = least / max(_RARE, min(1.0, _MARGIN * self._share))
            return max(least, min(_PROVEN_ROOM, int(rare)))
        return int(least / min(1, max(_LEAST_SHARE, self._share)))

    def close(self) -> None:
        """Close every channel."""
        for box in self._boxes():
            box.close()

    def _boxes(self) -> Sequence[Outbox | SharedOutbox]:
        return self._writers if self._shared is None else [self._shared]


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
        """Send rows of output `tag` of `step`; False if it is not consumed."""
        exchanges = self._by_tag.get((step, tag), [])
        if exchanges and PLACE in batch.frame.columns:
            batch = Batch(batch.frame.drop(PLACE))
        for exchange in exchanges:
            exchange.emit(batch)
        return bool(exchanges)

    def consumed(self, step: StepName, tag: str) -> bool:
        """Whether this output is consumed."""
        return (step, tag) in self._by_tag

    def broadcast(self, element: Element) -> None:
        """Send watermarks and barriers to all exchanges."""
        for exchange in self._all:
            exchange.broadcast(element)

    def took(self, rows: int) -> None:
        """Note that so many rows were taken for what was emitted since the last call."""
        for exchange in self._all:
            exchange.took(rows)

    def has_credit(self) -> bool:
        """Whether every exchange can accept rows; see `room`."""
        return self.room() > 0

    def room(self) -> int:
        """Number of rows that may be taken for every exchange; see `Exchange.room`."""
        return min([exchange.room() for exchange in self._all], default=NO_LIMIT)

    def close(self) -> None:
        """Close every channel."""
        for exchange in self._all:
            exchange.close()


def outputs_of(
    exchanges: Sequence[ExchangeSpec], writers: Mapping[ChannelId, ChannelWriter]
) -> Outputs:
    """Group the sending ends of a subtask into its exchanges, targets sorted by index."""
    sides = []
    for spec in exchanges:
        mine = sorted(channel for channel in writers if channel.exchange == spec.id)
        sides.append(Exchange(spec, [writers[channel] for channel in mine]))
    return Outputs(sides)
