"""Read-only inspection of a cluster by kafka-python: transactions, rights, topics.

Nothing here changes a cluster.
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raystream.connectors.kafka.admin import (
    END_TXN_MAX_VERSION,
    KafkaPythonTransactions,
    partitions_of,
)
from raystream.connectors.kafka.clients import NO_ANSWER, ClientError, Partition
from raystream.connectors.kafka.kafka_python import operations
from raystream.connectors.kafka.settings import from_librdkafka
from raystream.connectors.kafka.transactions import (
    Held,
    TransactionDetails,
    by_producer,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.errors import KafkaError
    from kafka.protocol.consumer.group import HeartbeatRequest
    from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest
    from kafka.protocol.producer.transaction import EndTxnRequest

_GROUP = 0
_NO_SUCH_ID = 105
_COORDINATOR_STARTS = {14, 15, 16}
_COORDINATOR_LOOKS = 12


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """Facts about a topic, from the brokers.

    Args:
        name: Topic.
        code: 0, or why there are no facts: 3 no such topic, 29 not permitted.
        replicas: Number of replicas of each partition.
        leaderless: Partitions that currently have no leader.
        rights: What we may do: READ, WRITE, DESCRIBE, ...; None: the broker has no ACLs.
    """

    name: str
    code: int
    replicas: tuple[int, ...] = ()
    leaderless: tuple[int, ...] = ()
    rights: frozenset[str] | None = None


class KafkaPythonInspection(KafkaPythonTransactions):
    """Inspects a cluster; every call may raise ClientError. Use it from one thread.

    Args:
        config: Address and security as options of kafka-python.

    Raises:
        ClientError: no broker answers, or it refuses us.
    """

    def transaction_ids(self, states: Sequence[str] = ()) -> list[str]:
        """Every transactional id in one of these states (none given: in any) of every broker."""
        return sorted(self._asked(lambda: self._ids(list(states))))

    def details(self, tids: Sequence[str]) -> list[TransactionDetails]:
        """Details from coordinators; ids that are unknown, or that we may not see, are omitted."""
        return self._asked(lambda: self._details(list(tids))) if tids else []

    def held(self, places: Iterable[Partition]) -> list[Held]:
        """Open transactions of these partitions, with what coordinators know of them."""
        states = self.producers(sorted(set(places)))
        found = [(place, one) for place, state in states.items() for one in state.open]
        if not found:
            return []
        known = by_producer(self.details(self.transaction_ids()))
        all_seen = self._sees_every_id()
        held = [Held(*place, one, known.get(one.pid), all_seen) for place, one in found]
        return sorted(held, key=lambda one: (one.place, one.open.offset))

    def topics(self, names: Sequence[str] | None) -> dict[str, TopicFacts]:
        """Facts about these topics; None: about all visible ones."""
        found: dict[str, TopicFacts] = self._asked(lambda: self._topics(names))
        return found

    def topic_settings(self, name: str) -> Mapping[str, str]:
        """Effective settings of a topic; empty without permission."""
        return self._settings(ConfigResourceType.TOPIC, name)

    def broker_settings(self) -> Mapping[str, str]:
        """Settings of one broker; empty without permission."""
        brokers = self._connection.brokers()
        return self._settings(ConfigResourceType.BROKER, str(brokers[0])) if brokers else {}

    def brokers(self) -> int:
        """Number of brokers."""
        return len(self._connection.brokers())

    def version(self) -> str:
        """Version of the brokers, inferred from their answers: `4.1` means that or newer."""
        return ".".join(map(str, self._connection.version()))

    def may_write_transactions(self, tid: str) -> int:
        """The answer to an EndTxn of an unused id: 53 not permitted, 49 permitted.

        It needs the right to WRITE to the TransactionalId and changes nothing: the coordinator
        looks for the id after it has checked the right, and finds none. Brokers on which
        transactions were never used create a topic for them first, which takes some seconds.
        """
        for _ in range(_COORDINATOR_LOOKS):
            code: int = self._asked(lambda: self._end_nothing(tid))
            if code not in _COORDINATOR_STARTS:
                break
            time.sleep(0.5)
        return code

    def may_use_group(self, group: str) -> int:
        """The answer to a heartbeat of an unknown member: 30 not permitted, 25 permitted.

        It needs the right to READ the group and changes nothing.
        """
        code: int = self._asked(lambda: self._beat(group))
        return code

    def _sees_every_id(self) -> bool:
        """Whether an unused id would be reported: ids that we may not see are omitted."""
        (answer,) = self.describe([f"raystream-{secrets.token_hex(16)}"])
        return answer.code == _NO_SUCH_ID

    def _asked(self, work: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return self._connection.run(work)
        except (KafkaError, OSError) as error:
            raise ClientError(NO_ANSWER, type(error).__name__, str(error)) from None

    async def _details(self, tids: list[str]) -> list[TransactionDetails]:
        described, _ = await self._descriptions(tids)
        found = [_details(one) for one in described if not one.error_code]
        return sorted(found, key=lambda one: one.tid)

    async def _topics(self, names: Sequence[str] | None) -> dict[str, TopicFacts]:
        return {one.name: _facts(one) for one in await self._metadata(names)}

    async def _metadata(self, names: Sequence[str] | None) -> list[Any]:
        topic = MetadataRequest.MetadataRequestTopic
        request = MetadataRequest(
            topics=None if names is None else [topic(name=name) for name in names],
            allow_auto_topic_creation=False,
            include_cluster_authorized_operations=False,
            include_topic_authorized_operations=True,
        )
        return list((await self._connection.send(request)).topics)

    def _settings(self, kind: Any, name: str) -> Mapping[str, str]:
        try:
            answer = self._connection.settings(ConfigResource(kind, name))
        except (KafkaError, OSError):
            return {}
        return _flat(answer)

    async def _end_nothing(self, tid: str) -> int:
        node, code = (await self._coordinators([tid])).get(tid, (-1, NO_ANSWER))
        if code:
            return code
        request = EndTxnRequest(
            transactional_id=tid,
            producer_id=0,
            producer_epoch=0,
            committed=False,
            max_version=END_TXN_MAX_VERSION,
        )
        answer: int = (await self._send(request, node)).error_code
        return answer

    async def _beat(self, group: str) -> int:
        question = FindCoordinatorRequest(key_type=_GROUP, coordinator_keys=[group], min_version=4)
        (found,) = (await self._connection.send(question)).coordinators
        if found.error_code:
            return int(found.error_code)
        request = HeartbeatRequest(group_id=group, generation_id=0, member_id="raystream-check")
        answer: int = (await self._send(request, found.node_id)).error_code
        return answer


def holders(client: Mapping[str, Any], places: Sequence[Partition]) -> dict[Partition, str]:
    """Whose transactions block partitions, in words.

    Args:
        client: Address and security as options of librdkafka.
        places: Topics and partitions.

    Raises:
        ClientError: the brokers do not answer.
    """
    asking = KafkaPythonInspection(from_librdkafka(client))
    try:
        return {
            one.place: f"producer {one.open.pid}, epoch {one.open.epoch}: {one.coordinator_says()}"
            for one in reversed(asking.held(places))
        }
    finally:
        asking.close()


def _details(one: Any) -> TransactionDetails:
    return TransactionDetails(
        one.transactional_id,
        str(one.transaction_state),
        one.producer_id,
        one.producer_epoch,
        one.transaction_start_time_ms,
        one.transaction_timeout_ms,
        tuple(sorted(partitions_of(one))),
    )


def _facts(topic: Any) -> TopicFacts:
    partitions = sorted(topic.partitions, key=lambda one: one.partition_index)
    told = topic.authorized_operations
    rights = None if told is None else operations(told)
    return TopicFacts(
        topic.name,
        topic.error_code,
        tuple(len(one.replica_nodes) for one in partitions),
        tuple(one.partition_index for one in partitions if one.leader_id < 0),
        rights,
    )


def _flat(answer: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, str]:
    return {
        name: str(entry["value"])
        for resources in answer.values()
        for settings in resources.values()
        for name, entry in settings.items()
        if entry.get("value") is not None
    }
