"""Open transactions as brokers know them, and which of them hang."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raystream.connectors.kafka.clients import OpenOnPartition, Partition
from raystream.connectors.kafka.transactional_id import TransactionalId, parse

OPEN = ("Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
"""States of a transaction that blocks readers."""


@dataclass(frozen=True, slots=True)
class TransactionDetails:
    """One transactional id as its coordinator describes it (KIP-664).

    Args:
        tid: Transactional id.
        state: Kafka's name: Ongoing, PrepareCommit, CompleteAbort, Empty...
        pid: Producer id.
        epoch: Producer epoch.
        started_ms: Time of its first record, epoch ms; -1 if none is open.
        timeout_ms: Age at which the broker aborts it.
        partitions: Partitions it writes to.
    """

    tid: str
    state: str
    pid: int
    epoch: int
    started_ms: int = -1
    timeout_ms: int = -1
    partitions: tuple[Partition, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it blocks readers."""
        return self.state in OPEN

    @property
    def parsed(self) -> TransactionalId | None:
        """The id in parts, if a job of raystream created it."""
        return parse(self.tid)

    def age_s(self, now_ms: int) -> float | None:
        """Seconds since its first record; None if it has none."""
        return None if self.started_ms < 0 else max(0.0, (now_ms - self.started_ms) / 1000)


@dataclass(frozen=True, slots=True)
class Held:
    """A transaction that a partition waits for, and what transaction coordinators know of it.

    Args:
        topic: Topic.
        partition: Partition number.
        open: Producer id, epoch and first offset, as the partition's leader knows them.
        known: The transactional id with this producer id, if a coordinator knows one.
        all_seen: Whether this user may see every transactional id; else an id that is not seen may
            still be alive.
    """

    topic: str
    partition: int
    open: OpenOnPartition
    known: TransactionDetails | None = None
    all_seen: bool = True

    @property
    def place(self) -> Partition:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def hangs(self) -> bool:
        """Whether no coordinator will end it.

        >>> held = Held("t", 0, OpenOnPartition(7, 0, -1, 12))
        >>> held.hangs
        True
        >>> alive = TransactionDetails("x", "Ongoing", 7, 0, 1, 1, (("t", 0),))
        >>> Held("t", 0, OpenOnPartition(7, 0, -1, 12), alive).hangs
        False
        """
        known = self.known
        return known is None or not known.open or self.place not in known.partitions

    @property
    def never_committed(self) -> bool:
        """Whether its coordinator certainly did not commit it, so that it may be aborted.

        A coordinator that reports CompleteCommit for the same producer and epoch has committed it,
        and the broker forgot the marker of this partition (KAFKA-20734): an abort would lose
        records. The outcome of an older epoch is unknown.

        >>> held = OpenOnPartition(7, 0, -1, 12)
        >>> Held("t", 0, held, TransactionDetails("x", "Empty", 7, 0)).never_committed
        True
        >>> Held("t", 0, held, TransactionDetails("x", "CompleteCommit", 7, 0)).never_committed
        False
        >>> Held("t", 0, held, TransactionDetails("x", "Empty", 7, 1)).never_committed
        False
        """
        known = self.known
        if known is None:
            return self.all_seen
        return known.epoch == self.open.epoch and known.state in ("Empty", "CompleteAbort", "Dead")

    def coordinator_says(self) -> str:
        """What the coordinator knows of it, in words."""
        if self.known is None:
            return "no coordinator knows it" if self.all_seen else "this user may not see whose"
        epoch = "" if self.known.epoch == self.open.epoch else f", epoch {self.known.epoch}"
        return f"{self.known.tid}, {self.known.state}{epoch}"

    def same_as(self, other: Held) -> bool:
        """Whether this is the same transaction on the same partition."""
        return (self.place, self.open) == (other.place, other.open)


def by_producer(known: Iterable[TransactionDetails]) -> Mapping[int, TransactionDetails]:
    """Transactions by producer id."""
    return {one.pid: one for one in known}
