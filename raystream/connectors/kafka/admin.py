"""Transactions of dead producers by kafka-python: EndTxn, describe, list.

EndTxn is pinned to version <= 4: version 5 bumps the epoch, kills a live librdkafka producer, and
wedges the id on a broker at transaction.version 0 (kafka-broker.md 1b).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from raystream.connectors.kafka.answers import UNKNOWN_TOPIC_OR_PARTITION, UNSUPPORTED_VERSION
from raystream.connectors.kafka.clients import (
    NO_ANSWER,
    ClientError,
    Identity,
    OpenOnPartition,
    Partition,
    PartitionState,
    TransactionState,
)
from raystream.connectors.kafka.kafka_python import AdminConnection

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.errors import KafkaError, UnsupportedVersionError
    from kafka.protocol.admin.transactions import (
        DescribeProducersRequest,
        DescribeTransactionsRequest,
        ListTransactionsRequest,
    )
    from kafka.protocol.metadata import FindCoordinatorRequest
    from kafka.protocol.producer.transaction import (
        EndTxnRequest,
        InitProducerIdRequest,
        WriteTxnMarkersRequest,
    )


log = logging.getLogger("raystream.kafka")

END_TXN_MAX_VERSION = 4
_INIT_MAX_VERSION = 4
_REQUEST_MS = 10_000
_STRAYS_MS = 3_000  # in the background of a job: commits wait behind it while a broker is away
_FENCE_TIMEOUT_MS = 60_000
_TRANSACTION = 1


class KafkaPythonTransactions:
    """clients.TransactionAdmin; use it from one thread.

    Args:
        config: Address and security as options of kafka-python.

    Raises:
        ClientError: no broker answers, or it refuses us.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._connection = AdminConnection(config)

    def end(self, identities: Sequence[Identity], *, commit: bool) -> list[int]:
        """EndTxn once for each, all concurrently."""

        def request(index: int) -> Any:
            one = identities[index]
            return EndTxnRequest(
                transactional_id=one.tid,
                producer_id=one.pid,
                producer_epoch=one.epoch,
                committed=commit,
                max_version=END_TXN_MAX_VERSION,
            )

        return self._each([one.tid for one in identities], request)

    def fence(self, tids: Sequence[str]) -> list[int]:
        """InitProducerId once for each."""

        def request(index: int) -> Any:
            return InitProducerIdRequest(
                transactional_id=tids[index],
                transaction_timeout_ms=_FENCE_TIMEOUT_MS,
                producer_id=-1,
                producer_epoch=-1,
                max_version=_INIT_MAX_VERSION,
            )

        return self._each(tids, request, _STRAYS_MS)

    def describe(self, tids: Sequence[str]) -> list[TransactionState]:
        """One DescribeTransactions per coordinator."""
        if not tids:
            return []
        unanswered = TransactionState(NO_ANSWER)
        found = self._run(lambda: self._describe(tids), {})
        return [found.get(tid, unanswered) for tid in tids]

    def ongoing(self) -> list[str]:
        """Ids of ongoing transactions of every broker."""
        try:
            listed: list[str] = self._connection.run(lambda: self._ids(["Ongoing"]))
        except (KafkaError, OSError) as error:
            raise ClientError(NO_ANSWER, type(error).__name__, str(error)) from None
        return listed

    def producers(self, partitions: Sequence[Partition]) -> dict[Partition, PartitionState]:
        """One DescribeProducers per leader."""
        wanted = list(dict.fromkeys(partitions))
        if not wanted:
            return {}
        unanswered = dict.fromkeys(wanted, PartitionState(NO_ANSWER))
        return {**unanswered, **self._run(lambda: self._producers(wanted), {})}

    def mark(self, one: OpenOnPartition, partition: Partition, *, commit: bool) -> int:
        """WriteTxnMarkers to the leader; needs ClusterAction."""
        code: int = self._run(lambda: self._mark(one, partition, commit=commit), NO_ANSWER)
        return code

    def close(self) -> None:
        """Close connections."""
        self._connection.close()

    def _run(self, work: Callable[[], Awaitable[Any]], otherwise: Any) -> Any:
        try:
            return self._connection.run(work)
        except (KafkaError, OSError) as error:
            log.info("no answer from the transaction coordinator: %s", type(error).__name__)
            return otherwise

    def _each(
        self, tids: Sequence[str], request: Callable[[int], Any], limit_ms: int = _REQUEST_MS
    ) -> list[int]:
        if not tids:
            return []
        unanswered = [NO_ANSWER] * len(tids)
        codes: list[int] = self._run(lambda: self._send_each(tids, request, limit_ms), unanswered)
        return codes

    async def _send_each(
        self, tids: Sequence[str], request: Callable[[int], Any], limit_ms: int
    ) -> list[int]:
        nodes = await self._coordinators(tids, limit_ms)
        sent: list[Any] = []
        for index, tid in enumerate(tids):
            node, code = nodes.get(tid, (-1, NO_ANSWER))
            sent.append(code if code else self._send(request(index), node, limit_ms))
        return [one if isinstance(one, int) else await _code(one) for one in sent]

    def _send(self, request: Any, node: int, limit_ms: int = _REQUEST_MS) -> Any:
        return self._connection.send(request, node, limit_ms)

    async def _coordinators(
        self, tids: Sequence[str], limit_ms: int = _REQUEST_MS
    ) -> dict[str, tuple[int, int]]:
        """Looked up every time: the client's own cache never drops a coordinator that moved."""
        question = FindCoordinatorRequest(
            key_type=_TRANSACTION, coordinator_keys=sorted(set(tids)), min_version=4
        )
        answer = await self._connection.send(question, limit_ms=limit_ms)
        return {one.key: (one.node_id, one.error_code) for one in answer.coordinators}

    async def _describe(self, tids: Sequence[str]) -> dict[str, TransactionState]:
        described, refused = await self._descriptions(tids)
        found = {tid: TransactionState(code) for tid, code in refused.items()}
        for one in described:
            found[one.transactional_id] = TransactionState(
                one.error_code,
                one.transaction_state,
                one.producer_id,
                one.producer_epoch,
                partitions_of(one),
            )
        return found

    async def _descriptions(self, tids: Sequence[str]) -> tuple[list[Any], dict[str, int]]:
        """Descriptions from coordinators; ids whose coordinator is unknown, with the error code."""
        by_node: dict[int, list[str]] = {}
        refused: dict[str, int] = {}
        for tid, (node, code) in (await self._coordinators(tids)).items():
            if code:
                refused[tid] = code
            else:
                by_node.setdefault(node, []).append(tid)
        described: list[Any] = []
        for node, wanted in by_node.items():
            request = DescribeTransactionsRequest(transactional_ids=wanted)
            described += (await self._send(request, node)).transaction_states
        return described, refused

    async def _leaders(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Leader of each partition that exists; -1: none now."""
        metadata = await self._connection.metadata(topic for topic, _ in partitions)
        leaders = {
            (topic["name"], each["partition_index"]): each["leader_id"]
            for topic in metadata.get("topics", ())
            for each in topic.get("partitions", ())
        }
        return {one: leaders[one] for one in partitions if one in leaders}

    async def _producers(self, partitions: Sequence[Partition]) -> dict[Partition, PartitionState]:
        leaders = await self._leaders(partitions)
        found = {
            one: PartitionState(UNKNOWN_TOPIC_OR_PARTITION)
            for one in partitions
            if one not in leaders
        }
        for leader in sorted(set(leaders.values()) - {-1}):
            mine = [one for one, node in leaders.items() if node == leader]
            try:
                answer = await self._send(_producers_request(mine), leader)
            except UnsupportedVersionError:  # brokers before 2.8
                found |= dict.fromkeys(mine, PartitionState(UNSUPPORTED_VERSION))
                continue
            found |= _partition_states(answer)
        return found

    async def _mark(self, one: OpenOnPartition, partition: Partition, *, commit: bool) -> int:
        leader = (await self._leaders([partition])).get(partition, -1)
        if leader == -1:
            return NO_ANSWER
        answer = await self._send(_marker(one, partition, commit=commit), leader)
        code: int = answer.markers[0].topics[0].partitions[0].error_code
        return code

    async def _ids(self, states: list[str]) -> list[str]:
        """Transactional ids in one of these states (none given: in any) of every broker."""
        await self._coordinators(["raystream"], _STRAYS_MS)  # refreshes a lost connection
        listed: list[str] = []
        for broker in self._connection.brokers():
            request = ListTransactionsRequest(state_filters=states, producer_id_filters=[])
            answer = await self._send(request, broker, _STRAYS_MS)
            if answer.error_code:
                text = f"ListTransactions answered {answer.error_code}"
                raise KafkaError(text)
            listed += [one.transactional_id for one in answer.transaction_states]
        return listed


def partitions_of(described: Any) -> tuple[Partition, ...]:
    """Partitions of a transaction, from an answer to DescribeTransactions."""
    return tuple((each.topic, number) for each in described.topics for number in each.partitions)


def _producers_request(partitions: Sequence[Partition]) -> Any:
    topics: dict[str, list[int]] = {}
    for topic, number in partitions:
        topics.setdefault(topic, []).append(number)
    make = DescribeProducersRequest.TopicRequest
    asked = [make(name=topic, partition_indexes=numbers) for topic, numbers in topics.items()]
    return DescribeProducersRequest(topics=asked)


def _partition_states(answer: Any) -> dict[Partition, PartitionState]:
    return {
        (topic.name, each.partition_index): PartitionState(
            each.error_code,
            tuple(
                OpenOnPartition(
                    one.producer_id,
                    one.producer_epoch,
                    one.coordinator_epoch,
                    one.current_txn_start_offset,
                )
                for one in each.active_producers
                if one.current_txn_start_offset >= 0
            ),
        )
        for topic in answer.topics
        for each in topic.partitions
    }


def _marker(one: OpenOnPartition, partition: Partition, *, commit: bool) -> Any:
    topic, number = partition
    make = WriteTxnMarkersRequest.WritableTxnMarker
    marker = make(
        producer_id=one.pid,
        producer_epoch=one.epoch,
        transaction_result=commit,
        topics=[make.WritableTxnMarkerTopic(name=topic, partition_indexes=[number])],
        coordinator_epoch=max(0, one.coordinator_epoch),
    )
    return WriteTxnMarkersRequest(markers=[marker])


async def _code(answer: Any) -> int:
    try:
        code: int = (await answer).error_code
    except (KafkaError, OSError) as error:
        log.info("no answer from the transaction coordinator: %s", type(error).__name__)
        return NO_ANSWER
    return code
