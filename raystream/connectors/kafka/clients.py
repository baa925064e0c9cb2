"""Kafka client interface of raystream: implemented by the real clients and the broker model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from raystream.observe.silence import Silence

PARTITION_EOF = -191
AUTO_OFFSET_RESET = -140
LOG_TRUNCATION = -139
BAD_MESSAGE = -199
BAD_COMPRESSION = -198
NOT_IMPLEMENTED = -170
UNDERFLOW = -155
UNKNOWN_PARTITION = -190
UNKNOWN_TOPIC = -188
AUTHENTICATION = -169
NO_ANSWER = -1000
"""Code for a missing answer: connection lost, no coordinator, timeout."""


class ClientError(Exception):
    """Error of a client, with the three flags of librdkafka that say what may be done.

    Args:
        code: Kafka error code; librdkafka's own ones are below -100.
        name: Its name, such as `INVALID_TRANSACTION_TIMEOUT`.
        text: For people; holds no secrets.
        retriable: The same call may be repeated.
        fatal: The instance is unusable.
        abort: The transaction can only be aborted.
    """

    def __init__(
        self,
        code: int,
        name: str,
        text: str,
        *,
        retriable: bool = False,
        fatal: bool = False,
        abort: bool = False,
    ) -> None:
        super().__init__(f"{name}: {text}")
        self.text = text
        self.code = code
        self.name = name
        self.retriable = retriable
        self.fatal = fatal
        self.abort = abort


class MessageError(Protocol):
    """An event in place of a message."""

    def code(self) -> int:
        """Error code."""
        ...

    def str(self) -> str:
        """For people."""
        ...


class Message(Protocol):
    """One consumed record, or an event; the methods are those of confluent_kafka.Message.

    All messages of one `consume` have the same type: the reader maps over the type's methods.
    """

    def error(self) -> MessageError | None:
        """None for a record."""
        ...

    def value(self) -> bytes | None:
        """Payload."""
        ...

    def key(self) -> bytes | None:
        """Message key."""
        ...

    def topic(self) -> str:
        """Topic."""
        ...

    def partition(self) -> int:
        """Partition number."""
        ...

    def offset(self) -> int:
        """Offset."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """Type (0: none) and epoch ms."""
        ...

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Headers in order."""
        ...

    def leader_epoch(self) -> int | None:
        """Leader epoch of the record (KIP-320)."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a partition: `offset`: next to read, `epoch`: the leader epoch before it."""

    topic: str
    partition: int
    offset: int = -1
    epoch: int | None = None


class Consumer(Protocol):
    """A consumer with manually assigned positions; never part of a group."""

    def consume(self, count: int, timeout: float) -> Sequence[Message]:
        """Up to `count` records and events; waits `timeout` seconds for the first of them."""
        ...

    def assign_more(self, places: Sequence[Place]) -> None:
        """Read these partitions too."""
        ...

    def unassign(self, places: Sequence[Place]) -> None:
        """Stop reading these."""
        ...

    def ends(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset and end (read_committed: the last stable offset). Network."""
        ...

    def last_known_end(self, topic: str, partition: int) -> int | None:
        """High watermark of the last fetch; no network."""
        ...

    def group_offsets(self, places: Sequence[Place]) -> list[Place]:
        """Offsets committed by the group; -1 if there is none. Network."""
        ...

    def at_time(self, places: Sequence[Place], epoch_ms: int) -> list[Place]:
        """First offset with a timestamp >= epoch_ms; -1 if there is none. Network."""
        ...

    def publish(self, places: Sequence[Place]) -> None:
        """Commit to the group without waiting; failures are only logged."""
        ...

    def complaint(self) -> ClientError | None:
        """An error of the whole client that waiting does not fix, such as a wrong password."""
        ...

    def silent(self) -> Mapping[tuple[str, int], Silence]:
        """Topic and partition -> the broker that leads it and does not answer; no network."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class Messages:
    """Outgoing rows, column by column; None: the record has none in any row.

    Args:
        values: Payloads.
        keys: Message keys.
        timestamps: Record timestamps, epoch ms; None means now. librdkafka can write no 0.
        headers: Record headers.
        nulled: Numbers that the payloads hold as null, because their format has no NaN.
    """

    values: Sequence[bytes | None]
    keys: Sequence[bytes | str | None] | None = None
    timestamps: Sequence[int | None] | None = None
    headers: Sequence[list[tuple[str, str | bytes | None]]] | None = None
    nulled: int = 0

    def __len__(self) -> int:
        """Number of records."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Why a record, or the whole transaction, was not written.

    Args:
        name: Of the error, such as `MSG_SIZE_TOO_LARGE`.
        text: For people.
        place: Topic, partition and what identifies the record; empty if no record is meant.
    """

    name: str
    text: str
    place: str = ""

    def __str__(self) -> str:
        """Error and place.

        >>> str(Undelivered("MSG_SIZE_TOO_LARGE", "too large", "counts/0, key 'a'"))
        "MSG_SIZE_TOO_LARGE: too large (counts/0, key 'a')"
        """
        place = f" ({self.place})" if self.place else ""
        return f"{self.name}: {self.text}{place}"


@dataclass(frozen=True, slots=True)
class ProducerStatistics:
    """State of a producer's transaction in a sample of its statistics.

    Args:
        producer_id: -1 while it has none.
        epoch: Producer epoch.
        state: Transaction state in librdkafka's words: Ready, InTransaction, AbortableError...
        partitions: Partitions written so far.
    """

    producer_id: int
    epoch: int
    state: str
    partitions: tuple[int, ...]


class Producer(Protocol):
    """A producer; transactional if its configuration says so. Every call may raise ClientError."""

    def init_transactions(self, timeout_s: float) -> None:
        """Fence older instances of the id and get an identity."""
        ...

    def begin_transaction(self) -> None:
        """Open the transaction; no network."""
        ...

    def abort_transaction(self, timeout_s: float) -> None:
        """Abort the open transaction."""
        ...

    def produce(self, topic: str, messages: Messages, first: int) -> int:
        """Queue messages from index `first` on; returns the index of the first that did not fit."""
        ...

    def poll(self, timeout_s: float) -> None:
        """Serve callbacks."""
        ...

    def flush(self, timeout_s: float) -> int:
        """Wait until all is delivered or failed; returns how many are still in flight."""
        ...

    def delivery_errors(self) -> list[Undelivered]:
        """What was not delivered since the start: the first ten reasons."""
        ...

    def undelivered(self) -> int:
        """How many records were not delivered since the start."""
        ...

    def forget_statistics(self) -> None:
        """Drop the samples seen so far."""
        ...

    def statistics(self) -> ProducerStatistics | None:
        """Newest sample seen since `forget_statistics`."""
        ...

    def silent(self) -> Sequence[Silence]:
        """Brokers that this producer waits for and that do not answer; no network."""
        ...


class Cluster(Protocol):
    """Metadata of topics, and broker limits. Every call is network."""

    def partitions(self) -> Mapping[str, Sequence[int]]:
        """Topic -> partition numbers, of all visible topics."""
        ...

    def topic_ids(self, topics: Sequence[str]) -> Mapping[str, str]:
        """Topic -> id, which changes when a topic is deleted and re-created."""
        ...

    def broker_setting(self, name: str) -> str | None:
        """A setting of a broker, or None without permission."""
        ...

    def topic_setting(self, topic: str, name: str) -> str | None:
        """An effective setting of a topic, or None without permission."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What EndTxn needs: transactional id, producer id, producer epoch."""

    tid: str
    pid: int
    epoch: int


Partition = tuple[str, int]
"""Topic and number."""


@dataclass(frozen=True, slots=True)
class TransactionState:
    """Result of DescribeTransactions: `code` 0 or an error, and then nothing else is valid."""

    code: int
    state: str = ""
    pid: int = -1
    epoch: int = -1
    partitions: tuple[Partition, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenOnPartition:
    """A producer that, for one partition, has a transaction open; rows from `offset` on wait."""

    pid: int
    epoch: int
    coordinator_epoch: int
    offset: int


@dataclass(frozen=True, slots=True)
class PartitionState:
    """DescribeProducers of one partition: `code` 0 or an error, and then nothing else is valid."""

    code: int
    open: tuple[OpenOnPartition, ...] = ()


class TransactionAdmin(Protocol):
    """Transactions of dead producers. Each call looks up coordinators again and never raises."""

    def end(self, identities: Sequence[Identity], *, commit: bool) -> list[int]:
        """EndTxn (version <= 4) once for each; error codes, or NO_ANSWER."""
        ...

    def describe(self, tids: Sequence[str]) -> list[TransactionState]:
        """State of each."""
        ...

    def ongoing(self) -> list[str]:
        """Ids of all ongoing transactions of all brokers.

        Raises:
            ClientError: a broker did not answer.
        """
        ...

    def producers(self, partitions: Sequence[Partition]) -> dict[Partition, PartitionState]:
        """Open transactions on each of these partitions, as its leader sees them."""
        ...

    def mark(self, one: OpenOnPartition, partition: Partition, *, commit: bool) -> int:
        """WriteTxnMarkers: end a transaction without its coordinator; an error code."""
        ...

    def fence(self, tids: Sequence[str]) -> list[int]:
        """InitProducerId once for each: aborts what is open; 51 means it is being aborted."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, slots=True)
class LogBytes:
    """Bytes of a partition's log: `code` 0 or an error, and then nothing else is valid.

    Args:
        code: Kafka error code, or NO_ANSWER.
        stable: Last stable offset.
        data: Record batches, starting with the one that holds the requested offset.
    """

    code: int
    stable: int = -1
    data: bytes = b""


class RawLog(Protocol):
    """Logs of partitions, byte by byte."""

    def read(self, places: Sequence[Place], limit: int) -> Mapping[Partition, LogBytes]:
        """About `limit` bytes from each position on; positions without an answer may be missing."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class Clients(Protocol):
    """Factory of clients. The configurations are those of librdkafka, or of kafka-python."""

    def consumer(self, config: Mapping[str, Any]) -> Consumer:
        """A consumer."""
        ...

    def producer(self, config: Mapping[str, Any]) -> Producer:
        """A producer."""
        ...

    def cluster(self, config: Mapping[str, Any]) -> Cluster:
        """Questions about topics and limits."""
        ...

    def transactions(self, config: Mapping[str, Any]) -> TransactionAdmin:
        """Transaction administration, connected.

        Raises:
            ClientError: no broker answers, or it refuses us.
        """
        ...

    def raw_log(self, config: Mapping[str, Any]) -> RawLog:
        """Bytes of logs, connected.

        Raises:
            ClientError: no broker answers, or it refuses us.
        """
        ...
