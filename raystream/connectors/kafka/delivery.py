"""KafkaDelivery: checks of a sink at start, its writers, its committer (FLIP-143)."""

from __future__ import annotations

import time
from functools import cached_property, partial
from typing import TYPE_CHECKING

from raystream.connectors.base import Committer, CommitterContext, SinkWriter, WriteOptions
from raystream.connectors.kafka.clients import ClientError, Cluster
from raystream.connectors.kafka.committer import KafkaCommitter, foreign_transactions
from raystream.connectors.kafka.configs import MESSAGE_TIMEOUT_MS, fitted, transactional
from raystream.connectors.kafka.enumerator import missing_topic, unreachable
from raystream.connectors.kafka.outgoing import to_messages
from raystream.connectors.kafka.plain_writer import PlainKafkaWriter
from raystream.connectors.kafka.transaction import Transaction, Wanted
from raystream.connectors.kafka.transactional_id import TransactionalId
from raystream.connectors.kafka.writer import KafkaSinkWriter
from raystream.context import SubtaskContext
from raystream.errors import ConfigurationError
from raystream.graph.policies import DeliveryGuarantee
from raystream.ids import StepName

if TYPE_CHECKING:
    from raystream.connectors.kafka.sink import KafkaSink

DEFAULT_TIMEOUT_MS = 900_000
_LIMIT = "transaction.max.timeout.ms"


class KafkaDelivery:
    """What one KafkaSink does."""

    def __init__(self, sink: KafkaSink) -> None:
        self._sink = sink
        self._default_ms: int | None = None

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """At start: the topic, the broker's limit, open transactions of another store.

        Returns:
            Warnings.

        Raises:
            ConfigurationError: no such topic, a timeout above the broker's limit.
            RaystreamError: no broker answers.
        """
        sink = self._sink
        try:
            sink.connection.producer({})  # report a wrong setting now
            cluster = sink.connection.cluster()
            found = cluster.partitions()
            if sink.topic not in found:
                raise missing_topic(sink.topic, list(found), sink)
            if sink.delivery_guarantee not in (None, DeliveryGuarantee.EXACTLY_ONCE):
                return []
            self._check_limit(cluster)
            return self._foreign(job, store_id)
        except ClientError as error:
            raise unreachable(sink, error) from None

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """A writer for one subtask; the topic's own guarantee overrides the pipeline's.

        Raises:
            ConfigurationError: the rows do not fit the format or the options of the sink.
        """
        sink = self._sink
        convert = to_messages(sink.format, options, sink.key, sink.timestamp, sink.headers)
        guarantee = sink.delivery_guarantee or DeliveryGuarantee(options.guarantee)
        if guarantee == DeliveryGuarantee.EXACTLY_ONCE:
            return KafkaSinkWriter(ctx, convert, partial(self._transaction, ctx))
        sizes = fitted(self._largest, sink.connection.producer_config)
        producer = sink.connection.producer({"message.timeout.ms": MESSAGE_TIMEOUT_MS, **sizes})
        sure = guarantee == DeliveryGuarantee.AT_LEAST_ONCE
        return PlainKafkaWriter(
            ctx, sink.topic, convert, producer, sure=sure, largest=self._largest
        )

    def committer(self, ctx: CommitterContext) -> Committer | None:
        """Phase two, connected at once: a wrong password must not show up first in a recovery.

        Raises:
            RaystreamError: no broker answers, or it refuses us.
        """
        sink = self._sink
        if sink.delivery_guarantee not in (None, DeliveryGuarantee.EXACTLY_ONCE):
            return None
        try:
            sink.connection.cluster().partitions()  # reports a wrong password, unlike admin
            admin = sink.connection.transactions()
        except ClientError as error:
            raise unreachable(sink, error) from None
        return KafkaCommitter(ctx, self._job(ctx.job), admin, time.sleep)

    def _transaction(self, ctx: SubtaskContext, place: int, wanted: Wanted) -> Transaction:
        """Create a transaction. Blocking: called in the background."""
        sink = self._sink
        job = self._job(ctx.job)
        index = ctx.subtask.index
        tid = str(TransactionalId(job, ctx.store_id, ctx.attempt, ctx.step, index, place))
        timeout_ms = sink.transaction_timeout_ms or self._default_timeout_ms()
        sizes = fitted(self._largest, sink.connection.producer_config)
        make = partial(sink.connection.producer, {**transactional(tid, timeout_ms), **sizes})
        return Transaction(
            tid,
            sink.topic,
            timeout_ms,
            producer=make,
            clock=ctx.clock,
            wanted=wanted,
            largest=self._largest,
        )

    def _job(self, job: str) -> str:
        return f"{self._sink.transactional_id_prefix}{job}"

    @cached_property
    def _largest(self) -> int | None:
        """Maximum batch size of the topic; queried once per writer. Blocking, network."""
        sink = self._sink
        try:
            told = sink.connection.cluster().topic_setting(sink.topic, "max.message.bytes")
        except ClientError:
            return None
        return None if told is None else int(told)

    def _default_timeout_ms(self) -> int:
        """The broker is queried once: each query lists all its topics."""
        if self._default_ms is None:
            try:
                limit = _broker_limit_ms(self._sink.connection.cluster())
            except ClientError as error:
                raise unreachable(self._sink, error) from None
            self._default_ms = min(limit or DEFAULT_TIMEOUT_MS, DEFAULT_TIMEOUT_MS)
        return self._default_ms

    def _check_limit(self, cluster: Cluster) -> None:
        wanted = self._sink.transaction_timeout_ms
        limit = _broker_limit_ms(cluster)
        if wanted is not None and limit is not None and wanted > limit:
            what = f"transaction_timeout {wanted} ms is above the broker's {_LIMIT} = {limit}"
            raise ConfigurationError(what, self._sink.describe(), "lower it, or raise the limit")

    def _foreign(self, job: str, store_id: str) -> list[str]:
        admin = self._sink.connection.transactions()
        try:
            foreign = foreign_transactions(admin, self._job(job), store_id)
        finally:
            admin.close()
        if not foreign:
            return []
        shown = ", ".join(foreign[:3])
        return [
            f"{len(foreign)} open transactions of a job called {job!r} with other storage: {shown};"
            " is it run elsewhere too? They are left alone"
        ]


def _broker_limit_ms(cluster: Cluster) -> int | None:
    told = cluster.broker_setting(_LIMIT)
    return None if told is None else int(told)
