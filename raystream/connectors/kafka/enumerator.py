"""KafkaEnumerator: partitions, starts and ends of reading, the schema of a topic (FLIP-27)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from raystream.connectors.base import ReadOptions, Split
from raystream.connectors.kafka.clients import ClientError, Consumer, Message, Place
from raystream.connectors.kafka.failures import KafkaFailure
from raystream.connectors.kafka.message_columns import metadata_schema
from raystream.connectors.kafka.reader import KafkaReader
from raystream.context import SubtaskContext
from raystream.data.inference import NoColumns
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, RaystreamError
from raystream.ids import SplitId

if TYPE_CHECKING:
    from raystream.connectors.kafka.sink import KafkaSink
    from raystream.connectors.kafka.source import KafkaSource

LEARN_RECORDS = 1000
LEARN_S = 10.0
_NOT_IN_A_GROUP = "raystream"


def split_id(topic: str, partition: int) -> SplitId:
    """Name of a partition.

    >>> split_id("requests", 3)
    'requests/3'
    """
    return f"{topic}/{partition}"


class KafkaEnumerator:
    """Queries about one KafkaSource; each uses its own connection, closed at once."""

    def __init__(self, topic: KafkaSource) -> None:
        self._topic = topic

    def discover(self, *, bounded: bool) -> list[Split]:
        """All partitions with starts by `starting_offsets`; ends are the last stable offsets.

        `committed` without a committed offset: such a split needs a position of a checkpoint.

        Raises:
            ConfigurationError: no such topic.
            RaystreamError: no broker answers.
        """
        places, ids = self._places()
        if not places:
            return []
        with _Asking(self._topic) as consumer:
            starts = self._starts(consumer, places)
            ends = [consumer.ends(p.topic, p.partition)[1] if bounded else None for p in places]
        return [
            Split(
                split_id(start.topic, start.partition),
                _position(max(start.offset, 0), ids.get(start.topic)),
                None if end is None else {"offset": max(end, start.offset)},
                self._uncommitted(start) if start.offset < 0 else None,
            )
            for start, end in zip(starts, ends, strict=True)
        ]

    def discover_new(self, known: frozenset[SplitId]) -> list[Split]:
        """Partitions created since, from their first record.

        Raises:
            RaystreamError: no broker answers, or the topic is gone.
        """
        places, ids = self._places()
        new = [p for p in places if split_id(p.topic, p.partition) not in known]
        if not new:
            return []
        with _Asking(self._topic) as consumer:
            firsts = [consumer.ends(p.topic, p.partition)[0] for p in new]
        return [
            Split(split_id(p.topic, p.partition), _position(first, ids.get(p.topic)))
            for p, first in zip(new, firsts, strict=True)
        ]

    def reader(self, ctx: SubtaskContext, options: ReadOptions) -> KafkaReader:
        """A reader for one subtask; its consumer is made here."""
        topic = self._topic
        group = topic.group_id or ctx.job
        return KafkaReader(
            topic.format,
            _with_metadata(options, topic.metadata),
            consumer=topic.connection.consumer(group),
            cluster=topic.connection.cluster,
            raw_log=topic.connection.raw_log,
            background=ctx.background,
            now=ctx.clock.now,
            key_format=topic.key_format,
        )

    def learn(self) -> Schema | None:
        """Schema of the first records and of the metadata columns.

        Raises:
            NoColumns: no record yields columns.
            ConfigurationError: no such topic.
            RaystreamError: no broker answers.
        """
        places, _ = self._places()
        if not places:
            return None
        with _Asking(self._topic) as consumer:
            first = [
                Place(p.topic, p.partition, consumer.ends(p.topic, p.partition)[0]) for p in places
            ]
            consumer.assign_more(first)
            payloads = [message.value() for message in _first_records(consumer, len(first))]
        if not payloads:
            return None
        learnt = self._topic.format.infer(payloads)
        if learnt is None:
            raise NoColumns(len(payloads), self._topic.describe())
        extra = metadata_schema(self._topic.metadata).columns
        return Schema({**learnt.columns, **extra}, learnt.required)

    def max_parallelism(self) -> int:
        """Number of partitions.

        Raises:
            ConfigurationError: no such topic.
            RaystreamError: no broker answers.
        """
        return len(self._places()[0])

    def _places(self) -> tuple[list[Place], Mapping[str, str]]:
        try:
            cluster = self._topic.connection.cluster()
            found = cluster.partitions()
            topics = self._meant(found)
            ids = cluster.topic_ids(topics) if topics else {}
        except ClientError as error:
            raise unreachable(self._topic, error) from None
        return [Place(name, number) for name in topics for number in found[name]], ids

    def _meant(self, found: Mapping[str, Sequence[int]]) -> Sequence[str]:
        topic = self._topic
        if topic.pattern is not None:
            return list(topic.pattern.among(found))
        for name in topic.topics:
            if name not in found:
                raise missing_topic(name, list(found), topic)
        return topic.topics

    def _starts(self, consumer: Consumer, places: Sequence[Place]) -> list[Place]:
        start = self._topic.starting_offsets
        if start == "committed":
            return consumer.group_offsets(places)
        ends = [consumer.ends(p.topic, p.partition) for p in places]
        if isinstance(start, Mapping):
            found = [p.offset for p in consumer.at_time(places, start["timestamp"])]
            offsets = [at if at >= 0 else end for at, (_, end) in zip(found, ends, strict=True)]
        else:
            offsets = [low if start == "earliest" else end for low, end in ends]
        pairs = zip(places, offsets, strict=True)
        return [Place(place.topic, place.partition, offset) for place, offset in pairs]

    def _uncommitted(self, place: Place) -> tuple[str, str, str]:
        what = f"group {self._topic.group_id} has no committed offset"
        where = f"topic {place.topic}, partition {place.partition}"
        return what, where, "start with starting_offsets 'earliest' or 'latest'"


class _Asking:
    """A consumer for queries, closed afterwards; client errors become ours."""

    def __init__(self, topic: KafkaSource) -> None:
        self._topic = topic

    def __enter__(self) -> Consumer:
        self._consumer = self._topic.connection.consumer(self._topic.group_id or _NOT_IN_A_GROUP)
        return self._consumer

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        complaint = self._consumer.complaint()
        self._consumer.close()
        if isinstance(error, ClientError):
            raise unreachable(self._topic, complaint or error) from None


def missing_topic(
    name: str, known: list[str], topic: KafkaSource | KafkaSink
) -> ConfigurationError:
    """The error for a topic that does not exist, with the nearest names."""
    where = topic.connection.settings().address()
    return ConfigurationError(f"there is no topic {name!r}", where, advice_for_missing(name, known))


def advice_for_missing(name: str, known: list[str]) -> str:
    """The nearest names, if any is near.

    >>> advice_for_missing("reqests", ["requests", "counts"])
    "did you mean 'requests'?"
    """
    near = get_close_matches(name, known, 3, 0.6)
    return f"did you mean {' or '.join(repr(n) for n in near)}?" if near else "create it first"


def unreachable(topic: KafkaSource | KafkaSink, error: ClientError) -> RaystreamError:
    """The error for a cluster that does not answer or refuses us; contains no secret."""
    settings = topic.connection.settings()
    what = settings.redact(f"{topic.describe()} cannot be reached: {error}")
    advice = "check the address, that the brokers run, and the security settings"
    return KafkaFailure(what, settings.address(), advice)


def _position(offset: int, topic_id: str | None) -> dict[str, Any]:
    return {"offset": offset, "epoch": None, "topic_id": topic_id}


def _with_metadata(options: ReadOptions, asked: Sequence[str]) -> ReadOptions:
    """Treat metadata columns of the topic that are still in the plan's schema as metadata."""
    named = [name for name in asked if name in options.schema.columns]
    metadata = tuple(dict.fromkeys((*options.metadata, *named)))
    record = {name: kind for name, kind in options.record.items() if name not in asked}
    return replace(options, metadata=metadata, record=record)


def _first_records(consumer: Consumer, partitions: int) -> list[Message]:
    """Up to LEARN_RECORDS records, until each partition was read to its end."""
    records: list[Message] = []
    ended: set[tuple[str, int]] = set()
    deadline = time.monotonic() + LEARN_S
    while len(records) < LEARN_RECORDS and len(ended) < partitions:
        if time.monotonic() > deadline:
            break
        for message in consumer.consume(LEARN_RECORDS, 0.05):
            error = message.error()
            if error is None:
                records.append(message)
            else:
                ended.add((message.topic(), message.partition()))
    return records
