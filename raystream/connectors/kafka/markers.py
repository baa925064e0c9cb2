"""Ensure that an ended transaction is also ended on its partitions, even if a broker forgot.

EndTxn answers once the coordinator has written its decision; the markers that let readers continue
follow. A coordinator that restarts in between must write them, but Kafka 4.4.0 takes a partition
whose leader is still starting for a deleted one, skips its marker and calls the transaction
complete (KAFKA-20734): committed records never become visible, and readers wait forever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from raystream.connectors.base import Verdict
from raystream.connectors.kafka.answers import (
    CLUSTER_AUTHORIZATION_FAILED,
    NONE,
    TOPIC_AUTHORIZATION_FAILED,
    UNKNOWN_TOPIC_OR_PARTITION,
    UNSUPPORTED_VERSION,
    name_of,
)
from raystream.connectors.kafka.clients import (
    Identity,
    OpenOnPartition,
    Partition,
    PartitionState,
    TransactionAdmin,
    TransactionState,
)
from raystream.connectors.kafka.transactions import OPEN

log = logging.getLogger("raystream.kafka")

_PAUSES = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15)
"""Markers follow within some 10 ms; after this the coordinator is queried."""

_CAN_NOT_TELL = frozenset(
    {UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION}
)
"""Not found, no READ on the topic, or a broker before 2.8: then the coordinator is trusted."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A transaction that its coordinator says it ended, and the partitions it wrote."""

    identity: Identity
    partitions: tuple[Partition, ...]
    commit: bool = True


class Markers:
    """Checks for markers, and writes those that a broker forgot.

    Args:
        admin: Transaction administration.
        sleep: Waits some seconds.
    """

    def __init__(self, admin: TransactionAdmin, sleep: Callable[[float], None]) -> None:
        self._admin = admin
        self._sleep = sleep

    def confirm(self, ended: Sequence[Ended]) -> list[Verdict]:
        """COMMITTED for each whose markers are on all partitions; else what `commit` may answer.

        BUSY: the coordinator is still writing them. AGAIN: a leader does not answer now. REFUSED:
        they are missing, and we may not write them (ClusterAction on the cluster).
        """
        waiting = self._unmarked({one: one.partitions for one in ended}) if ended else {}
        for pause in _PAUSES:
            if not waiting:
                break
            self._sleep(pause)
            waiting = self._unmarked(waiting)
        late = [one for one in ended if one in waiting]
        settled = self._settle(late) if late else {}
        return [settled.get(one, Verdict.COMMITTED) for one in ended]

    def _unmarked(
        self, asked: Mapping[Ended, Sequence[Partition]]
    ) -> dict[Ended, Sequence[Partition]]:
        """The partitions that wait for the marker, or do not answer.

        Only those are queried again: at 1,000 partitions an answer about all takes 11 MB.
        """
        states = self._admin.producers([p for places in asked.values() for p in places])
        left = {one: [p for p in places if _waits(states[p], one)] for one, places in asked.items()}
        return {one: places for one, places in left.items() if places}

    def _states(self, ended: Iterable[Ended]) -> Mapping[Partition, PartitionState]:
        return self._admin.producers([p for one in ended for p in one.partitions])

    def _settle(self, late: Sequence[Ended]) -> dict[Ended, Verdict]:
        """Query the coordinator first: what is open after it finished will never be closed."""
        decided = self._admin.describe([one.identity.tid for one in late])
        states = self._states(late)
        return {
            one: self._verdict(one, coordinator, states)
            for one, coordinator in zip(late, decided, strict=True)
        }

    def _verdict(
        self, one: Ended, coordinator: TransactionState, states: Mapping[Partition, PartitionState]
    ) -> Verdict:
        left = [p for p in one.partitions if _waits(states[p], one)]
        if not left:
            return Verdict.COMMITTED
        if coordinator.code or any(states[p].code for p in left):
            return Verdict.AGAIN
        same = (coordinator.pid, coordinator.epoch) == (one.identity.pid, one.identity.epoch)
        if coordinator.state in OPEN and (same or not one.commit):
            return Verdict.BUSY
        codes = [self._write(one, p, found) for p in left for found in _mine(states[p], one)]
        if CLUSTER_AUTHORIZATION_FAILED in codes:
            return Verdict.REFUSED
        return Verdict.AGAIN if any(codes) else Verdict.COMMITTED

    def _write(self, one: Ended, partition: Partition, found: OpenOnPartition) -> int:
        code = self._admin.mark(found, partition, commit=one.commit)
        topic, number = partition
        done = "committed" if one.commit else "aborted"
        what = (
            f"transaction {one.identity.tid} is {done}, but the broker forgot to say so on"
            f" {topic}/{number} (KAFKA-20734): readers wait at offset {found.offset}"
        )
        if code == NONE:
            log.warning("%s; the marker is written now", what)
        elif code == CLUSTER_AUTHORIZATION_FAILED:
            log.error("%s; allow ClusterAction on the cluster, then run again", what)
        else:
            log.warning("%s; it cannot be written yet: %s", what, name_of(code))
        return code


def _waits(state: PartitionState, one: Ended) -> bool:
    if state.code:
        return state.code not in _CAN_NOT_TELL
    return bool(_mine(state, one))


def _mine(state: PartitionState, one: Ended) -> list[OpenOnPartition]:
    wanted = (one.identity.pid, one.identity.epoch)
    return [found for found in state.open if (found.pid, found.epoch) == wanted]


def partition_of(text: str) -> Partition:
    """Parse a partition as written in committables.

    >>> partition_of("a.b/c/3")
    ('a.b/c', 3)
    """
    topic, _, number = text.rpartition("/")
    return topic, int(number)
