"""The real clients; each library is imported when its first client is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raystream.connectors.kafka.clients import (
    Cluster,
    Consumer,
    Producer,
    RawLog,
    TransactionAdmin,
)


@dataclass(frozen=True, slots=True)
class RealClients:
    """clients.Clients by confluent-kafka and kafka-python."""

    def consumer(self, config: Mapping[str, Any]) -> Consumer:
        """A consumer of librdkafka."""
        from raystream.connectors.kafka.confluent import ConfluentConsumer

        return ConfluentConsumer(config)

    def producer(self, config: Mapping[str, Any]) -> Producer:
        """A producer of librdkafka."""
        from raystream.connectors.kafka.confluent import ConfluentProducer

        return ConfluentProducer(config)

    def cluster(self, config: Mapping[str, Any]) -> Cluster:
        """The admin client of librdkafka."""
        from raystream.connectors.kafka.confluent import ConfluentCluster

        return ConfluentCluster(config)

    def transactions(self, config: Mapping[str, Any]) -> TransactionAdmin:
        """The admin client of kafka-python."""
        from raystream.connectors.kafka.admin import KafkaPythonTransactions

        return KafkaPythonTransactions(config)

    def raw_log(self, config: Mapping[str, Any]) -> RawLog:
        """Fetches of kafka-python."""
        from raystream.connectors.kafka.raw_log import KafkaPythonRawLog

        return KafkaPythonRawLog(config)
