"""Open transactions as brokers know them: values, and which of them hang."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from raystream.connectors.kafka.transactional_id import TransactionalId, parse

OPEN = ("Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
"""States of a transaction that holds readers back."""

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class TransactionDetails:
    """One transactional id as its coordinator describes it (KIP-664).

    Args:
        tid: Transactional id.
        state: In Kafka's words: Ongoing, PrepareCommit, CompleteAbort, Empty...
        pid: Producer id.
        epoch: Producer epoch.
        started_ms: When its first record came, epoch ms; -1 if none is open.
        timeout_ms: After so long the broker aborts it.
        partitions: What it writes to.
    """

    tid: str
    state: str
    pid: int
    epoch: int
    started_ms: int = -1
    timeout_ms: int = -1
    partitions: tuple[Place, ...] = ()

    @property
    def open(self) -> bool:
        """Whether readers wait for its end."""
        return self.state in OPEN

    @property
    def parsed(self) -> TransactionalId | None:
        """The id in parts, if a job of raystream made it."""
        return parse(self.tid)

    def age_s(self, now_ms: int) -> float | None:
        """Seconds since its first record; None if it has none."""
        return None if self.started_ms < 0 else max(0.0, (now_ms - self.started_ms) / 1000)


@dataclass(frozen=True, slots=True)
class OpenOnPartition:
    """A producer that a partition waits for, as the partition's leader knows it.

    Args:
        topic: Topic.
        partition: Partition number.
        pid: Producer id.
        epoch: Producer epoch.
        first_offset: Readers of committed records wait before this offset.
        last_ms: When its newest record came, epoch ms.
        coordinator_epoch: Of the last marker that ended a transaction of it; -1: none did.
    """

    topic: str
    partition: int
    pid: int
    epoch: int
    first_offset: int
    last_ms: int
    coordinator_epoch: int = -1

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition


def without_coordinator(
    held: Iterable[OpenOnPartition], known: Sequence[TransactionDetails]
) -> list[OpenOnPartition]:
    """Those that no transaction coordinator will ever end: hanging transactions (KAFKA-12671).

    Args:
        held: What partition leaders wait for.
        known: Transactions that coordinators know, in any state.

    >>> held = OpenOnPartition("t", 0, 7, 0, 12, 0)
    >>> without_coordinator([held], [TransactionDetails("x", "Ongoing", 7, 0, 1, 1, (("t", 0),))])
    []
    >>> len(without_coordinator([held], [TransactionDetails("x", "CompleteCommit", 7, 0)]))
    1
    """
    ended_some_day = {(one.pid, place) for one in known if one.open for place in one.partitions}
    return [one for one in held if (one.pid, one.place) not in ended_some_day]


def by_producer(known: Iterable[TransactionDetails]) -> Mapping[int, TransactionDetails]:
    """Transactions by producer id."""
    return {one.pid: one for one in known}
