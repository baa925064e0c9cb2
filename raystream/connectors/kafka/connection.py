"""`rs.Kafka` and its topics: configuration values; nothing is connected yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
from raystream.connectors.kafka.topic_pattern import TopicPattern
from raystream.errors import ConfigurationError
from raystream.graph.origin import at_call
from raystream.graph.policies import DeliveryGuarantee
from raystream.units import Duration, milliseconds, seconds

if TYPE_CHECKING:
    from raystream.connectors.base import (
        Committer,
        CommitterContext,
        ReadOptions,
        SinkWriter,
        SourceReader,
        Split,
        WriteOptions,
    )
    from raystream.connectors.kafka.clients import TransactionAdmin
    from raystream.context import SubtaskContext
    from raystream.data.schema import Schema
    from raystream.formats.base import Format
    from raystream.ids import SplitId, StepName

METADATA = ("key", "timestamp", "headers", "topic", "partition", "offset")
STARTS = ("earliest", "latest", "committed")
Starting = str | Mapping[str, int]


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
        starting_offsets: Starting = "earliest",
        group_id: str | None = None,
        metadata: Sequence[str] = (),
        key: str | None = None,
        timestamp: str | None = None,
        headers: Sequence[str] = (),
        delivery_guarantee: str | None = None,
        transaction_timeout: Duration | None = None,
        transactional_id_prefix: str = "",
        discovery_interval: Duration = "60s",
        **unknown: object,
    ) -> KafkaTopic:
        """A topic to read or to write.

        Args:
            name: Topic; a source may read a list of them, or `rs.pattern("orders-.*")`: all topics
                with such a name, also those that are created while the job runs.
            topics: The same, by this name.
            format: `json`, `raw`, or a format value.
            starting_offsets: For a source without a checkpoint: `earliest`, `latest`,
                `committed` (needs `group_id`), or `{"timestamp": epoch_ms}`.
            group_id: Group that positions are published to after each commit, for lag tools.
                Default: the name of the job.
            metadata: Columns filled from the record: key, timestamp, headers, topic, partition,
                offset. They take precedence over payload fields with the same name.
            key: For a sink: column that becomes the message key. Default: the key columns.
            timestamp: For a sink: column with the record timestamp, epoch ms. Default: now.
            headers: For a sink: columns that become record headers and are not part of its
                payload. A column that a source has filled by metadata=["headers"] gives all the
                headers that were read.
            delivery_guarantee: `exactly_once`, `at_least_once`, `none`. Default: the pipeline's.
            transaction_timeout: How long a transaction may stay open before the broker aborts it.
                Default: 15 minutes, or the broker's `transaction.max.timeout.ms` if less.
            transactional_id_prefix: Prefix of transactional ids, for access rules.
            discovery_interval: For a source: how often to look for new partitions and topics.
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
                raise unknown_option(option, list(_TOPIC_OPTIONS), where)
            return KafkaTopic(
                connection=self,
                topics=_names(named),
                pattern=named if isinstance(named, TopicPattern) else None,
                format=_format(format, where),
                starting_offsets=starting_offsets,
                group_id=group_id,
                metadata=_columns("metadata", metadata, where),
                key=key,
                timestamp=timestamp,
                headers=_columns("headers", headers, where),
                delivery_guarantee=None
                if delivery_guarantee is None
                else _guarantee(delivery_guarantee, where),
                transaction_timeout_ms=None
                if transaction_timeout is None
                else milliseconds(transaction_timeout, "transaction_timeout"),
                transactional_id_prefix=transactional_id_prefix,
                discovery_interval=seconds(discovery_interval, "discovery_interval"),
            )

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


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic as a source (`connectors.base.Source`) and as a sink (`connectors.base.Sink`).

    Made by `Kafka.topic`, which documents the options.
    """

    connection: Kafka
    topics: tuple[str, ...]
    format: Format = field(repr=False)
    starting_offsets: Starting = "earliest"
    group_id: str | None = None
    metadata: tuple[str, ...] = ()
    key: str | None = None
    timestamp: str | None = None
    delivery_guarantee: DeliveryGuarantee | None = None
    transaction_timeout_ms: int | None = None
    transactional_id_prefix: str = ""
    discovery_interval: float = 60.0
    pattern: TopicPattern | None = None
    headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            ConfigurationError: no topic, an unknown metadata column or starting offset.
        """
        where = self.describe()
        if self.pattern is None and (not self.topics or not all(self.topics)):
            what = "no topic is named"
            raise ConfigurationError(what, where)
        for name in self.metadata:
            if name not in METADATA:
                raise unknown_option(name, list(METADATA), where)
        if self.discovery_interval <= 0:
            what = "discovery_interval must be more than 0"
            raise ConfigurationError(what, where)
        if any(letter.isspace() for letter in self.transactional_id_prefix):
            what = f"transactional_id_prefix {self.transactional_id_prefix!r} has a space in it"
            raise ConfigurationError(what, where, "for example 'team.'")
        _check_start(self.starting_offsets, self.group_id, where)

    def describe(self) -> str:
        """For people."""
        if self.pattern is not None:
            return f"kafka topics like {self.pattern.regex}"
        kind = "kafka topic" if len(self.topics) == 1 else "kafka topics"
        return f"{kind} {', '.join(self.topics)}"

    def metadata_columns(self) -> Schema:
        """The columns asked for with `metadata=`, with their types."""
        from raystream.connectors.kafka.message_columns import metadata_schema

        return metadata_schema(self.metadata)

    def discover(self, *, bounded: bool) -> list[Split]:
        """All partitions with resolved starts, and ends if bounded. Blocking, network."""
        from raystream.connectors.kafka.source import KafkaSource

        return KafkaSource(self).discover(bounded=bounded)

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Partitions that are not known yet, from their beginning. Blocking, network."""
        from raystream.connectors.kafka.source import KafkaSource

        return KafkaSource(self).discover_new(known)

    def grows(self) -> bool:
        """Return True: partitions may be added at any time, with a pattern also topics."""
        return True

    def covers(self, split: SplitId, of: str) -> bool:
        """Whether its topic is read."""
        topic = split.rpartition("/")[0]
        return topic in self.topics if self.pattern is None else self.pattern.matches(topic)

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> SourceReader:
        """A reader for one subtask."""
        from raystream.connectors.kafka.source import KafkaSource

        return KafkaSource(self).reader(ctx, options)

    def learn(self) -> Schema | None:
        """Schema of the first records, None while there are none. Blocking, network."""
        from raystream.connectors.kafka.source import KafkaSource

        return KafkaSource(self).learn()

    def max_parallelism(self) -> int | None:
        """Number of partitions; no limit if more topics may come. Blocking, network."""
        if self.pattern is not None:
            return None
        from raystream.connectors.kafka.source import KafkaSource

        return KafkaSource(self).max_parallelism()

    @property
    def takes_upserts(self) -> bool:
        """Return True: the last record of a key counts, and one without a value removes it."""
        return True

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """Check limits, topic, foreign stray transactions. Blocking, network."""
        from raystream.connectors.kafka.sink import KafkaSink

        return KafkaSink(self).check(job, store_id, step)

    def check_rows(self, options: WriteOptions) -> None:
        """Refuse rows that the format or the options of the topic cannot write."""
        from raystream.connectors.kafka.outgoing import to_messages

        to_messages(self.format, options, self.key, self.timestamp, self.headers)

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        """A writer for one subtask."""
        from raystream.connectors.kafka.sink import KafkaSink

        return KafkaSink(self).writer(ctx, options)

    def committer(self, ctx: CommitterContext) -> Committer | None:
        """Phase two; connects at once."""
        from raystream.connectors.kafka.sink import KafkaSink

        return KafkaSink(self).committer(ctx)


_TOPIC_OPTIONS = (
    "format",
    "starting_offsets",
    "group_id",
    "metadata",
    "key",
    "timestamp",
    "headers",
    "delivery_guarantee",
    "transaction_timeout",
    "transactional_id_prefix",
    "discovery_interval",
)


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


def _columns(option: str, given: Sequence[str], where: str) -> tuple[str, ...]:
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


def _guarantee(given: str, where: str) -> DeliveryGuarantee:
    try:
        return DeliveryGuarantee(given)
    except ValueError:
        known = ", ".join(DeliveryGuarantee)
        what = f"delivery_guarantee {given!r} is unknown"
        raise ConfigurationError(what, where, f"one of {known}") from None


def _check_start(start: Starting, group_id: str | None, where: str) -> None:
    if isinstance(start, Mapping):
        if set(start) != {"timestamp"} or not isinstance(start["timestamp"], int):
            what = f"starting_offsets {dict(start)!r} is unknown"
            advice = "write {'timestamp': 1700000000000}, in epoch ms"
            raise ConfigurationError(what, where, advice)
        return
    if start not in STARTS:
        what = f"starting_offsets {start!r} is unknown"
        advice = f"one of {', '.join(STARTS)}, {{'timestamp': epoch_ms}}"
        raise ConfigurationError(what, where, advice)
    if start == "committed" and group_id is None:
        what = "starting_offsets 'committed' needs the group that committed them"
        raise ConfigurationError(what, where, "write group_id=")
