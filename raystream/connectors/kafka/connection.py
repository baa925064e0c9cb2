"""`rs.Kafka` and its topics: configuration values; nothing is connected yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from raystream.connectors.kafka.clients import Clients, Cluster, Consumer, Producer, RawLog
from raystream.connectors.kafka.configs import (
    CONSUMER,
    CONSUMER_FIXED,
    PRODUCER,
    PRODUCER_FIXED,
)
from raystream.connectors.kafka.settings import (
    Settings,
    check_security,
    pass_through,
    shown,
    unknown_option,
)
from raystream.connectors.kafka.source import Starting
from raystream.connectors.kafka.topic import OPTIONS, KafkaTopic
from raystream.connectors.kafka.topic_pattern import TopicPattern
from raystream.errors import ConfigurationError
from raystream.graph.origin import at_call
from raystream.graph.policies import DeliveryGuarantee
from raystream.units import Duration, milliseconds, seconds

if TYPE_CHECKING:
    from raystream.connectors.kafka.clients import TransactionAdmin
    from raystream.formats.base import Format

T = TypeVar("T")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Kafka:
    """A Kafka cluster: address and security, configured once for sources, sinks and transactions.

    Args:
        bootstrap_servers: `host:port`, several with commas or as a list. The environment variable
            RAYSTREAM_BOOTSTRAP_SERVERS, if set, replaces it when clients are created.
        consumer_config: Settings passed to librdkafka's consumer.
        producer_config: Settings passed to librdkafka's producer.
        clients: Replaces the real clients; the simulation uses it.
        security: `security_protocol`, `sasl_mechanism`, `sasl_username`, `sasl_password`,
            `sasl_kerberos_service_name`, `ssl_ca_location`, `ssl_certificate_location`,
            `ssl_key_location`, `ssl_key_password`, `ssl_check_hostname`. A value may be a
            reference, `env:NAME` or `file:/path`, resolved only when a client is made.

    Raises:
        ConfigurationError: an unknown option, or one that both client libraries cannot have.

    >>> Kafka("kafka:9092", security_protocol="SASL_SSL", sasl_mechanism="PLAIN",
    ...       sasl_username="app", sasl_password="hunter2")
    Kafka('kafka:9092', security_protocol='SASL_SSL', sasl_mechanism='PLAIN',
          sasl_username='app', sasl_password='***')
    """

    bootstrap_servers: str
    security: Mapping[str, Any]
    consumer_config: Mapping[str, Any]
    producer_config: Mapping[str, Any]
    clients: Clients

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str] = "",
        *,
        consumer_config: Mapping[str, Any] | None = None,
        producer_config: Mapping[str, Any] | None = None,
        clients: Clients | None = None,
        **security: str | bool,
    ) -> None:
        address = (
            bootstrap_servers if isinstance(bootstrap_servers, str) else ",".join(bootstrap_servers)
        )
        with at_call(within="rs.Kafka"):
            check_security(security)
            if not address:
                what = "bootstrap_servers is missing"
                raise ConfigurationError(what, "rs.Kafka", "write rs.Kafka('host:9092')")
            pass_through(CONSUMER, consumer_config or {}, CONSUMER_FIXED, "consumer_config")
            pass_through(PRODUCER, producer_config or {}, PRODUCER_FIXED, "producer_config")
        object.__setattr__(self, "bootstrap_servers", address)
        object.__setattr__(self, "security", dict(security))
        object.__setattr__(self, "consumer_config", dict(consumer_config or {}))
        object.__setattr__(self, "producer_config", dict(producer_config or {}))
        object.__setattr__(self, "clients", clients or _real_clients())

    def __repr__(self) -> str:
        """As written, with secrets hidden."""
        options = dict(shown(self.security))
        for name, config in (
            ("consumer_config", self.consumer_config),
            ("producer_config", self.producer_config),
        ):
            if config:
                options[name] = shown(config)
        parts = [repr(self.bootstrap_servers), *(f"{k}={v!r}" for k, v in options.items())]
        return f"Kafka({', '.join(parts)})"

    def topic(
        self,
        name: str | Sequence[str] | TopicPattern | None = None,
        *,
        topics: str | Sequence[str] | TopicPattern | None = None,
        format: str | Format = "json",  # noqa: A002 - the word users know
        starting_offsets: Starting | None = None,
        group_id: str | None = None,
        metadata: Sequence[str] | None = None,
        key: str | None = None,
        timestamp: str | None = None,
        headers: Sequence[str] | None = None,
        delivery_guarantee: str | None = None,
        transaction_timeout: Duration | None = None,
        transactional_id_prefix: str | None = None,
        discovery_interval: Duration | None = None,
        key_format: str | None = None,
        **unknown: object,
    ) -> KafkaTopic:
        """A topic to read or to write.

        Args:
            name: Topic; a source may read a list of them, or `rs.pattern("orders-.*")`: all topics
                with such a name, also those that are created while the job runs.
            topics: The same, by this name.
            format: `json`, `raw`, or a format value.
            starting_offsets: For a source without a checkpoint: `earliest` (the default), `latest`,
                `committed` (needs `group_id`), or `{"timestamp": epoch_ms}`.
            group_id: For a source: group that positions are published to after each commit, for
                lag tools. Default: the name of the job.
            metadata: For a source: columns filled from the record: key, timestamp, headers, topic,
                partition, offset. They take precedence over payload fields of the same name.
            key: For a sink: column that becomes the message key. Default: the key columns.
            timestamp: For a sink: column with the record timestamp, epoch ms. Default: now.
            headers: For a sink: columns that become record headers and are not part of its
                payload. A column that a source has filled by metadata=["headers"] gives all the
                headers that were read.
            delivery_guarantee: For a sink: `exactly_once`, `at_least_once`, `none`. Default: the
                pipeline's.
            transaction_timeout: For a sink: how long a transaction may stay open before the broker
                aborts it. Default: 15 minutes, or the broker's `transaction.max.timeout.ms` if
                that is less.
            transactional_id_prefix: For a sink: prefix of transactional ids, for access rules.
            discovery_interval: For a source: how often to look for new partitions and topics.
                Default: 60s.
            key_format: For a source that is read with changes="upsert": how keys are written:
                `text` (the default: as sinks write them), `json` (an object), `int32` or `int64`.
            unknown: None allowed: any other option is refused.

        Raises:
            ConfigurationError: an unknown option or value.

        >>> Kafka("kafka:9092").topic("requests", starting_offsets="latest").describe()
        'kafka topic requests'
        """
        named = name if topics is None else topics
        where = _where(named)
        with at_call(within=where):
            if (name is None) == (topics is None):
                what = "no topic is given" if name is None else "the topics are given twice"
                raise ConfigurationError(what, where, "write kafka.topic('requests')")
            for option in unknown:
                raise unknown_option(option, list(OPTIONS), where)
            reading = {
                "starting_offsets": starting_offsets,
                "group_id": group_id,
                "metadata": _columns("metadata", metadata, where),
                "discovery_interval": _given(seconds, discovery_interval, "discovery_interval"),
                "key_format": key_format,
            }
            writing = {
                "key": key,
                "timestamp": timestamp,
                "headers": _columns("headers", headers, where),
                "delivery_guarantee": _guarantee(delivery_guarantee, where),
                "transaction_timeout_ms": _given(
                    milliseconds, transaction_timeout, "transaction_timeout"
                ),
                "transactional_id_prefix": transactional_id_prefix,
            }
            pattern = named if isinstance(named, TopicPattern) else None
            common = (self, _names(named), _format(format, where), pattern)
            return KafkaTopic.of(common, reading, writing)

    def settings(self) -> Settings:
        """Address and security for both client libraries."""
        return Settings(self.bootstrap_servers, self.security)

    def consumer(self, group_id: str) -> Consumer:
        """Create a consumer."""
        own = pass_through(CONSUMER, self.consumer_config, CONSUMER_FIXED, "consumer_config")
        address = self.settings().for_librdkafka()
        return self.clients.consumer({**own, **address, "group.id": group_id})

    def producer(self, special: Mapping[str, Any]) -> Producer:
        """Create a producer."""
        own = pass_through(PRODUCER, self.producer_config, PRODUCER_FIXED, "producer_config")
        return self.clients.producer({**own, **self.settings().for_librdkafka(), **special})

    def cluster(self) -> Cluster:
        """Connect a cluster client."""
        return self.clients.cluster(self.settings().for_librdkafka())

    def transactions(self) -> TransactionAdmin:
        """Connect a client for transaction administration."""
        return self.clients.transactions(self.settings().for_kafka_python())

    def raw_log(self) -> RawLog:
        """Connect a client for raw logs."""
        return self.clients.raw_log(self.settings().for_kafka_python())


def _real_clients() -> Clients:
    from raystream.connectors.kafka.real_clients import RealClients

    return RealClients()


def _where(name: str | Sequence[str] | TopicPattern | None) -> str:
    if isinstance(name, TopicPattern):
        return f"kafka.topic(rs.pattern({name.regex!r}))"
    return "kafka.topic()" if name is None else f"kafka.topic({name!r})"


def _names(named: str | Sequence[str] | TopicPattern | None) -> tuple[str, ...]:
    if named is None or isinstance(named, TopicPattern):
        return ()
    return (named,) if isinstance(named, str) else tuple(dict.fromkeys(named))


def _given(convert: Callable[..., T], value: Duration | None, name: str) -> T | None:
    return None if value is None else convert(value, name)


def _columns(option: str, given: Sequence[str] | None, where: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str):
        what = f"{option} takes a list of columns, not {given!r}"
        raise ConfigurationError(what, where, f"write {option}=[{given!r}]")
    return tuple(given)


def _format(given: str | Format, where: str) -> Format:
    if not isinstance(given, str):
        return given
    from raystream.formats.named import format_by_name

    try:
        return format_by_name(given)
    except ConfigurationError as error:
        raise ConfigurationError(error.what, where, error.what_to_do) from None


def _guarantee(given: str | None, where: str) -> DeliveryGuarantee | None:
    if given is None:
        return None
    try:
        return DeliveryGuarantee(given)
    except ValueError:
        known = ", ".join(DeliveryGuarantee)
        what = f"delivery_guarantee {given!r} is unknown"
        raise ConfigurationError(what, where, f"one of {known}") from None
