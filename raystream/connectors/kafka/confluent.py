"""Consumer, producer and cluster client by confluent-kafka (librdkafka); its only importer."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any, TypeVar, cast

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from raystream.connectors.kafka import clients
from raystream.connectors.kafka.clients import ClientError, Place, ProducerStatistics
from raystream.connectors.kafka.failures import PASSING
from raystream.connectors.kafka.heard import Heard, Hearing
from raystream.connectors.kafka.suspects import guilt_of, placed
from raystream.connectors.kafka.transaction_samples import transaction_in
from raystream.errors import ConfigurationError
from raystream.native import module
from raystream.observe.silence import Silence

T = TypeVar("T")

log = logging.getLogger("raystream.kafka")
log.addHandler(logging.NullHandler())  # else each failed connection attempt is printed

NETWORK_S = 30.0
"""Maximum time of a request to the cluster."""

TRY_S = 2.0
"""Maximum time of one attempt."""

FIRST_TRY_S = 0.7
"""The same if a person waits for the answer."""

_KEPT = 10
"""Maximum number of kept reasons; the most likely culprit comes first."""

_LASTING = frozenset(
    {
        clients.AUTHENTICATION,
        ck.KafkaError.SASL_AUTHENTICATION_FAILED,
        ck.KafkaError._SSL,
        ck.KafkaError._RESOLVE,
    }
)


def _translated(error: ck.KafkaException) -> ClientError:
    cause = error.args[0]
    if not isinstance(cause, ck.KafkaError):
        return ClientError(clients.NO_ANSWER, "CLIENT", str(cause))
    return _as_client_error(cause)


def _as_client_error(cause: ck.KafkaError) -> ClientError:
    return ClientError(
        cause.code(),
        cause.name(),
        cause.str(),
        retriable=cause.retriable(),
        fatal=cause.fatal(),
        abort=cause.txn_requires_abort(),
    )


def _told(text: str) -> clients.Undelivered:
    """Parse a line of librdkafka's log that ends with the name of an error."""
    names = re.findall(r"\((_?[A-Z][A-Z0-9_]+)[,)]", text)
    return clients.Undelivered(names[-1] if names else "CLIENT", text)


def _refused(
    error: ck.KafkaException, topic: str, messages: clients.Messages, index: int
) -> ClientError:
    """A record that the client refused; after a failed transaction it refuses all."""
    told = _translated(error)
    if told.name in PASSING:
        return told
    key = None if messages.keys is None else messages.keys[index]
    text = f"{told.text} ({placed(topic, None, key, messages.values[index])})"
    return ClientError(told.code, told.name, text, fatal=told.fatal, abort=told.abort)


def _call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    try:
        return function(*args, **named)
    except ck.KafkaException as error:
        raise _translated(error) from None
    except TimeoutError:  # a future's timeout has no text
        what = f"no answer within {NETWORK_S:g} s"
        raise ClientError(clients.NO_ANSWER, "_TIMED_OUT", what, retriable=True) from None


def _made(kind: Callable[[dict[str, Any]], T], option: str, config: dict[str, Any]) -> T:
    """Create a client; a setting that librdkafka refuses is the user's mistake, not the network's.

    Raises:
        ConfigurationError: with librdkafka's message.
    """
    try:
        return kind(config)
    except ck.KafkaException as error:
        cause = error.args[0]
        if not isinstance(cause, ck.KafkaError) or cause.code() != ck.KafkaError._INVALID_ARG:
            raise _translated(error) from None
        what = f"{option}: {cause.str()}"
        raise ConfigurationError(what, "rs.Kafka") from None


class _Complaints:
    """Errors of the whole client, kept separately so that the client is in no reference cycle."""

    def __init__(self) -> None:
        self.lasting: ClientError | None = None

    def __call__(self, error: ck.KafkaError) -> None:
        if error.code() in _LASTING or error.fatal():
            self.lasting = _as_client_error(error)


def _published(error: ck.KafkaError | None, _: Sequence[ck.TopicPartition]) -> None:
    if error is not None:
        log.warning("offsets could not be published: %s", error.str())


def _native(places: Sequence[Place]) -> list[ck.TopicPartition]:
    return [
        ck.TopicPartition(place.topic, place.partition, place.offset)
        if place.epoch is None
        else ck.TopicPartition(place.topic, place.partition, place.offset, leader_epoch=place.epoch)
        for place in places
    ]


def _places(found: Sequence[ck.TopicPartition]) -> list[Place]:
    for one in found:
        if one.error is not None:
            raise _as_client_error(one.error)
    return [Place(one.topic, one.partition, max(one.offset, -1)) for one in found]


class ConfluentConsumer:
    """clients.Consumer."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._complaints = _Complaints()
        self._hearing = Hearing()
        mine = {
            "error_cb": self._complaints,
            "on_commit": _published,
            "stats_cb": self._hearing,
            "logger": log,
        }
        self._consumer = _made(ck.Consumer, "consumer_config", {**mine, **config})
        self._client_id = str(config.get("client.id", "rdkafka"))
        self._native: Any = None
        self.consume: Callable[[int, float], Sequence[clients.Message]] = cast(
            "Callable[[int, float], Sequence[clients.Message]]", self._consumer.consume
        )

    def assign_more(self, places: Sequence[Place]) -> None:
        """Read these partitions too."""
        _call(self._consumer.incremental_assign, _native(places))

    def unassign(self, places: Sequence[Place]) -> None:
        """Stop reading these."""
        _call(self._consumer.incremental_unassign, _native(places))

    def ends(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset and last stable offset."""
        one = ck.TopicPartition(topic, partition)
        low, high = _call(
            self._consumer.get_watermark_offsets, one, timeout=NETWORK_S, cached=False
        )
        return low, high

    def last_known_end(self, topic: str, partition: int) -> int | None:
        """High watermark of the last fetch."""
        one = ck.TopicPartition(topic, partition)
        try:
            _, high = _call(self._consumer.get_watermark_offsets, one, cached=True)
        except ClientError:
            return None
        return high if high >= 0 else None

    def group_offsets(self, places: Sequence[Place]) -> list[Place]:
        """Offsets committed by the group."""
        return _places(_call(self._consumer.committed, _native(places), timeout=NETWORK_S))

    def at_time(self, places: Sequence[Place], epoch_ms: int) -> list[Place]:
        """First offset at or after a time."""
        wanted = [ck.TopicPartition(p.topic, p.partition, epoch_ms) for p in places]
        return _places(_call(self._consumer.offsets_for_times, wanted, timeout=NETWORK_S))

    def publish(self, places: Sequence[Place]) -> None:
        """Commit to the group without waiting."""
        try:
            self._consumer.commit(offsets=_native(places), asynchronous=True)
        except ck.KafkaException as error:
            log.warning("offsets could not be published: %s", error)

    def complaint(self) -> ClientError | None:
        """An error that waiting does not fix."""
        return self._complaints.lasting

    def silent(self) -> Mapping[tuple[str, int], Silence]:
        """Partitions whose broker does not answer."""
        return self._hearing.silent

    def lend(self, fields: Sequence[Any], around: Sequence[str]) -> Any:
        """A native reader of its records; it must be given each partition before it is assigned.

        Raises:
            ImportError: there is none here.
            RuntimeError: it does not know this client.
        """
        of, library = self._client_id, ck.cimpl.__file__
        self._native = module().Reader(self._consumer, library, of, fields, around)
        return self._native

    def close(self) -> None:
        """Close, first what was lent."""
        if self._native is not None:
            self._native.close()
        self._consumer.close()


class _Reports:
    """Results of a producer's callbacks, kept separately so that it is in no reference cycle."""

    def __init__(self) -> None:
        self.errors: list[clients.Undelivered] = []
        self.undelivered = 0
        self.guilt = 0
        self.sample: str | None = None
        self.newest: str | None = None
        self.heard = Heard()
        self.lasting: ClientError | None = None
        self.failure: clients.Undelivered | None = None

    def log(self, level: int, pattern: str, *parts: object) -> None:
        """Act as a logger: only the log says why a transaction failed."""
        if parts and parts[0] == "TXNERR":
            self.failure = self.failure or _told(str(parts[-1]))
        log.log(level, pattern, *parts)

    def delivered(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        if error is None:
            return
        self.undelivered += 1
        name = error.name()
        key, value = message.key(), message.value()
        guilt = 0 if name in PASSING else 1 + guilt_of(name, key, value)
        if guilt > self.guilt or len(self.errors) < _KEPT:
            place = placed(message.topic(), message.partition(), key, value)
            at = 0 if guilt > self.guilt else len(self.errors)
            self.errors.insert(at, clients.Undelivered(name, error.str(), place))
            self.guilt = max(guilt, self.guilt)

    def statistics(self, sample: str) -> None:
        self.sample = self.newest = sample

    def failed(self, error: ck.KafkaError) -> None:
        if error.code() in _LASTING or error.fatal():
            self.lasting = _as_client_error(error)


class ConfluentProducer:
    """clients.Producer. Never closed: close() would abort a pre-committed transaction (R2)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._reports = _Reports()
        mine = {
            "on_delivery": self._reports.delivered,
            "stats_cb": self._reports.statistics,
            "error_cb": self._reports.failed,
            "logger": self._reports,
        }
        self._producer = _made(ck.Producer, "producer_config", {**mine, **config})

    def init_transactions(self, timeout_s: float) -> None:
        """Fence older instances, get an identity."""
        try:
            _call(self._producer.init_transactions, timeout_s)
        except ClientError as error:
            raise self._reports.lasting or error from None

    def begin_transaction(self) -> None:
        """Open the transaction."""
        _call(self._producer.begin_transaction)

    def abort_transaction(self, timeout_s: float) -> None:
        """Abort the open transaction."""
        _call(self._producer.abort_transaction, timeout_s)

    def produce(self, topic: str, messages: clients.Messages, first: int) -> int:
        """Queue messages until the queue is full."""
        if messages.timestamps is None and messages.headers is None:
            return self._produce_plain(topic, messages, first)
        return self._produce_full(topic, messages, first)

    def _produce_plain(self, topic: str, messages: clients.Messages, first: int) -> int:
        produce = self._producer.produce
        values = messages.values
        keys = messages.keys
        done = first
        try:
            if keys is None:
                for done in range(first, len(values)):
                    produce(topic, values[done])
            else:
                for done in range(first, len(values)):
                    produce(topic, values[done], keys[done])
        except BufferError:
            return done
        except ck.KafkaException as error:
            raise _refused(error, topic, messages, done) from None
        return len(values)

    def _produce_full(self, topic: str, messages: clients.Messages, first: int) -> int:
        produce = self._producer.produce
        keys, times, headers = messages.keys, messages.timestamps, messages.headers
        done = first
        try:
            for done in range(first, len(messages)):
                produce(
                    topic,
                    messages.values[done],
                    keys[done] if keys is not None else None,
                    timestamp=(times[done] or 0) if times is not None else 0,
                    headers=headers[done] if headers is not None else [],
                )
        except BufferError:
            return done
        except ck.KafkaException as error:
            raise _refused(error, topic, messages, done) from None
        return len(messages)

    def poll(self, timeout_s: float) -> None:
        """Serve callbacks."""
        _call(self._producer.poll, timeout_s)

    def flush(self, timeout_s: float) -> int:
        """Wait for deliveries; returns how many are left."""
        left: int = _call(self._producer.flush, timeout_s)
        return left

    def delivery_errors(self) -> list[clients.Undelivered]:
        """The first ten reasons; what made the transaction or the producer fail comes last."""
        reports = self._reports
        lasting = reports.lasting
        told = [] if lasting is None else [clients.Undelivered(lasting.name, lasting.text)]
        return [*reports.errors, *([reports.failure] if reports.failure else []), *told]

    def undelivered(self) -> int:
        """How many records were not delivered."""
        return self._reports.undelivered

    def forget_statistics(self) -> None:
        """Drop the samples seen so far."""
        self._reports.sample = None

    def statistics(self) -> ProducerStatistics | None:
        """Newest sample."""
        sample = self._reports.sample
        return None if sample is None else transaction_in(sample)

    def silent(self) -> Sequence[Silence]:
        """Brokers that it waits for; parses a sample on each call, so call it rarely."""
        reports = self._reports
        sample, reports.newest = reports.newest, None
        if sample is not None:
            reports.heard.see(json.loads(sample))
        return reports.heard.keep_waiting()


def first_answer(
    config: Mapping[str, Any], patience_s: float, hopeless: Callable[[], bool] = lambda: False
) -> None:
    """Wait for a first answer.

    Args:
        config: Address and security.
        patience_s: Maximum time.
        hopeless: Called after an attempt without an answer: True if waiting does not help.

    Raises:
        ClientError: there is none: the cause reported by the client itself, if any.
    """
    heard: list[ck.KafkaError] = []
    settings: dict[str, Any] = {"error_cb": heard.append, "logger": log, **config}
    admin = AdminClient(settings)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            _call(admin.list_topics, timeout=min(FIRST_TRY_S, patience_s))
        except ClientError as error:
            admin.poll(0)
            lasting = [one for one in heard if one.code() in _LASTING or _no_tls(one)]
            if lasting or time.monotonic() > deadline or hopeless():
                down = ck.KafkaError._ALL_BROKERS_DOWN
                told = lasting or [one for one in heard if one.code() != down]
                raise (_as_client_error(told[0]) if told else error) from None
        else:
            return


def _no_tls(error: ck.KafkaError) -> bool:  # the other end closes on TLS
    return "SSL_HANDSHAKE" in error.str() and "PLAINTEXT" in error.str()


_NOT_TOLD = frozenset(
    {ck.KafkaError.CLUSTER_AUTHORIZATION_FAILED, ck.KafkaError.UNSUPPORTED_VERSION}
)
"""Error codes for a broker's settings: not permitted, or too old to report them."""


class ConfluentCluster:
    """clients.Cluster."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._complaints = _Complaints()
        settings: dict[str, Any] = {"error_cb": self._complaints, "logger": log, **config}
        self._admin = AdminClient(settings)

    def partitions(self) -> Mapping[str, Sequence[int]]:
        """Topic -> partition numbers."""
        return {
            name: sorted(topic.partitions)
            for name, topic in self._listed().topics.items()
            if topic.error is None
        }

    def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Topic -> id; topics that do not exist are omitted."""
        wanted = ck.TopicCollection(list(topics))
        futures = self._admin.describe_topics(wanted, request_timeout=NETWORK_S)
        ids = {}
        for name, future in futures.items():
            try:
                ids[name] = str(self._ask(future.result, NETWORK_S).topic_id)
            except ClientError as error:
                if error.code != ck.KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return ids

    def broker_setting(self, name: str) -> str | None:
        """A setting of some broker; None without permission. Repeated until it is answered.

        Raises:
            ClientError: no broker answers.
        """
        deadline = time.monotonic() + NETWORK_S
        brokers = cycle(self._listed().brokers)
        while True:
            try:
                return self._setting_of(next(brokers), name)
            except ClientError as error:
                if error.code in _NOT_TOLD:
                    return None
                if error is self._complaints.lasting or time.monotonic() > deadline:
                    raise

    def _setting_of(self, broker: int, name: str) -> str | None:
        resource = ConfigResource(ResourceType.BROKER, str(broker))
        future = self._admin.describe_configs([resource], request_timeout=TRY_S)[resource]
        entry = self._ask(future.result, NETWORK_S).get(name)
        return None if entry is None else entry.value

    def topic_setting(self, topic: str, name: str) -> str | None:
        """An effective setting of a topic, or None if it is not reported."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        future = self._admin.describe_configs([resource], request_timeout=NETWORK_S)[resource]
        try:
            entry = self._ask(future.result, NETWORK_S).get(name)
        except ClientError:
            return None
        return None if entry is None else entry.value

    def _listed(self) -> Any:
        """Topics and brokers; in short attempts, so that a wrong password shows at once."""
        deadline = time.monotonic() + NETWORK_S
        while True:
            try:
                return self._ask(self._admin.list_topics, timeout=min(TRY_S, NETWORK_S))
            except ClientError as error:
                if error is self._complaints.lasting or time.monotonic() > deadline:
                    raise

    def _ask(self, question: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            return _call(question, *args, **named)
        except ClientError as error:
            self._admin.poll(0)
            raise self._complaints.lasting or error from None
