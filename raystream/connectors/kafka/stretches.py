"""Partitions as they are read, and the stretches of a poll that come from one of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from raystream.connectors.base import Position
from raystream.connectors.kafka.clients import Message, Place
from raystream.ids import SplitId


@dataclass(slots=True)
class Partition:
    """A partition that is read: where it continues, and where it ends in a bounded run."""

    split: SplitId
    topic: str
    number: int
    offset: int
    epoch: int | None
    topic_id: str | None
    end: int | None
    at_end: bool = False
    paused: bool = False

    def position(self) -> Position:
        """For the checkpoint."""
        return {"offset": self.offset, "epoch": self.epoch, "topic_id": self.topic_id}

    def finished(self) -> bool:
        """Whether it was read to its end."""
        return self.end is not None and self.offset >= self.end

    def place(self) -> Place:
        """For the consumer."""
        return Place(self.topic, self.number, self.offset, self.epoch)


@dataclass(slots=True)
class Stretch:
    """Messages [first, last) of a poll are consecutive and from one partition."""

    partition: Partition
    first: int
    last: int
    overran: bool = False
    position: Position = None

    def move(self, offset: int, epoch: int | None) -> None:
        """The partition continues behind the stretch, whose last record has this place.

        Args:
            offset: Behind the last record.
            epoch: Leader epoch of the last record.
        """
        partition = self.partition
        partition.at_end = False
        if self.overran:
            partition.offset = max(partition.offset, partition.end or 0)
        elif self.first < self.last:
            partition.offset = offset
            partition.epoch = epoch
        self.position = partition.position()


def overruns(partition: Partition, newest: Message) -> bool:
    """Whether this record is behind the partition's end."""
    return partition.end is not None and newest.offset() >= partition.end


def without_overrun(
    messages: Sequence[Message], stretches: Sequence[Stretch]
) -> tuple[list[Message], list[Stretch]]:
    """The messages up to the ends of their partitions."""
    kept: list[Message] = []
    cut = []
    for stretch in stretches:
        first, last, end = stretch.first, stretch.last, stretch.partition.end
        if end is not None:
            last = bisect_left(messages, end, first, last, key=lambda m: m.offset())
        start = len(kept)
        kept += messages[first:last]
        cut.append(Stretch(stretch.partition, start, len(kept), overran=last < stretch.last))
    return kept, cut
