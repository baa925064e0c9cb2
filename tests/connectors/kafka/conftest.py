"""Writers, readers and committers on the session's broker, as the engine would make them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

import polars as pl
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from raystream.checkpoint.records import Committable
from raystream.connectors.base import (
    Chunk,
    Committer,
    CommitterContext,
    ReadOptions,
    SourceReader,
    Split,
    Verdict,
    WriteOptions,
)
from raystream.connectors.kafka.connection import Kafka
from raystream.connectors.kafka.writer import KafkaSinkWriter
from raystream.connectors.traits import sink_of, source_of
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.ids import SubtaskId
from tests.support.broker import Broker

STORE = "0a1b2c3d"
ROWS = Schema({"ip": pl.String(), "n": pl.Int64()}, key=("ip",))


class RealClock:
    def now(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


def rows(*pairs: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=dict(ROWS.columns), orient="row")


def wait(future: Future[Any], writer: Any = None) -> Any:
    deadline = time.monotonic() + 30
    while not future.done():
        assert time.monotonic() < deadline, "the future never came"
        if writer is not None:
            writer.poll(0.0)
        time.sleep(0.005)
    return future.result()


def drain(
    reader: SourceReader, until: Callable[[], bool], seconds: float = 15.0
) -> tuple[pl.DataFrame, list[Chunk]]:
    """All rows, and the chunks, until a condition holds."""
    chunks: list[Chunk] = []
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"not reached after {len(chunks)} chunks"
        chunk = reader.poll(2000)
        if chunk is None:
            time.sleep(0.005)
        else:
            chunks.append(chunk)
    frames = [chunk.frame for chunk in chunks if chunk.frame.height]
    return (pl.concat(frames) if frames else pl.DataFrame()), chunks


def positions(chunks: Sequence[Chunk]) -> dict[str, Any]:
    return {run.split: run.position for chunk in chunks for run in chunk.runs}


def add_all(reader: SourceReader, splits: Sequence[Split]) -> None:
    for split in splits:
        reader.add(split)


def committed(verdicts: Sequence[Verdict]) -> bool:
    return all(verdict is Verdict.COMMITTED for verdict in verdicts)


@dataclass
class Bench:
    """One job on one broker."""

    rows = staticmethod(rows)
    wait = staticmethod(wait)
    drain = staticmethod(drain)
    positions = staticmethod(positions)
    add_all = staticmethod(add_all)
    committed = staticmethod(committed)
    ROWS: ClassVar[Schema] = ROWS
    STORE: ClassVar[str] = STORE

    broker: Broker
    job: str
    pool: ThreadPoolExecutor
    security: dict[str, Any] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def kafka(self, **options: Any) -> Kafka:
        return Kafka(self.broker.bootstrap, **self.security, **options)

    def context(self, attempt: int = 1, subtask: int = 0) -> SubtaskContext:
        return SubtaskContext(
            self.job,
            STORE,
            attempt,
            "write",
            SubtaskId("write", subtask),
            1,
            RealClock(),
            self.pool,
            point=self.points.append,
            count=lambda name, n: self.counts.update({name: n}),
        )

    def writer(
        self,
        topic: Any,
        schema: Schema = ROWS,
        *,
        attempt: int = 1,
        guarantee: str = "exactly_once",
        message_key: bool = False,
    ) -> Any:
        options = WriteOptions(schema, message_key=message_key, guarantee=guarantee)
        return sink_of(topic).writer(self.context(attempt), options)

    def committer(self, topic: Any, attempt: int = 1) -> Committer:
        committer = sink_of(topic).committer(CommitterContext(self.job, STORE, "write", attempt))
        assert committer is not None
        return committer

    def reader(self, topic: Any, schema: Schema, **options: Any) -> SourceReader:
        return source_of(topic).reader(self.context(), ReadOptions(schema, **options))

    def pre_commit(self, writer: KafkaSinkWriter, checkpoint: int = 1) -> Committable:
        committable = wait(writer.prepare(checkpoint, final=False))
        assert committable is not None
        return committable

    def produce(self, topic: str, *records: Any, **config: Any) -> Producer:
        """Plain records: values, or (partition, value, key, timestamp, headers) as a dict."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, **config})
        if "transactional.id" in config:
            producer.init_transactions(30)
            producer.begin_transaction()
        for record in records:
            producer.produce(topic, **(record if isinstance(record, dict) else {"value": record}))
        assert producer.flush(30) == 0
        return producer

    def visible(self, topic: str, at_least: int = 0, **config: Any) -> list[Message]:
        """All records that a read_committed consumer sees, by partition and offset."""
        deadline = time.monotonic() + 10
        while True:
            found = _read_all(self.broker.bootstrap, topic, config)
            if len(found) >= at_least or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def values(self, topic: str, at_least: int = 0) -> list[bytes]:
        return sorted(message.value() for message in self.visible(topic, at_least))


def _read_all(bootstrap: str, topic: str, config: dict[str, Any]) -> list[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "test-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            **config,
        }
    )
    numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
    found: list[Message] = []
    ended = 0
    deadline = time.monotonic() + 10
    while ended < len(numbers) and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.05):
            if message.error() is None:
                found.append(message)
            else:
                ended += 1
    consumer.close()
    return sorted(found, key=lambda m: (m.partition(), m.offset()))


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture
def bench(
    kafka: Broker, job_name: str, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    monkeypatch.delenv("RAYSTREAM_BOOTSTRAP_SERVERS", raising=False)
    return Bench(kafka, job_name, pool)


@pytest.fixture
def topic(kafka: Broker, topic_name: str) -> str:
    return kafka.create_topic(topic_name, 2)
