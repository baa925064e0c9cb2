"""A damaged batch in the log stops the read with partition, offset and the truth."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Producer

from raystream.connectors.base import ReadOptions, SourceReader
from raystream.connectors.kafka.connection import Kafka
from raystream.context import SubtaskContext
from raystream.data.schema import Schema
from raystream.errors import JobFailed
from raystream.ids import SubtaskId
from raystream.runtime.system_clock import SystemClock
from tests.support.broker import Broker

ROWS = Schema({"n": pl.Int64()})


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """One of our own: its log is written to behind its back."""
    with Broker.start() as started:
        yield started


def spoil(log: Path, kind: str) -> None:
    """Change the third batch of a log (KIP-98: length at 8, magic at 16, CRC at 17)."""
    data, at = bytearray(log.read_bytes()), 0
    for _ in range(2):
        at += 12 + int.from_bytes(data[at + 8 : at + 12], "big")
    size = 12 + int.from_bytes(data[at + 8 : at + 12], "big")
    where, bits = {
        "a byte of a record": (at + size - 3, 0x1F),
        "the checksum": (at + 17, 0x1F),
        "the version": (at + 16, 0x1F),
        "an older version": (at + 16, 0x03),
        "a length behind the end": (at + 8, 0x10),
    }[kind]
    data[where] ^= bits
    with open(log, "r+b") as file:
        file.write(data)


def drain(reader: SourceReader, read: list[int]) -> None:
    deadline = time.monotonic() + 30
    while not reader.finished() and time.monotonic() < deadline:
        chunk = reader.poll(2000)
        read += [] if chunk is None else chunk.frame["n"].to_list()


@pytest.mark.parametrize(
    "kind",
    [
        "a byte of a record",
        "the checksum",
        "the version",
        "an older version",
        "a length behind the end",
    ],
)
def test_nothing_behind_it_is_read_as_if_it_were_whole(broker: Broker, kind: str) -> None:
    topic = broker.create_topic(f"spoilt-{kind.replace(' ', '-')}", 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0})
    for number in range(5):
        producer.produce(topic, b'{"n":%d}' % number)
        assert producer.flush(20) == 0
    (log,) = broker.directory.rglob(f"{topic}-0/*.log")
    spoil(log, kind)
    source = Kafka(broker.bootstrap).topic(topic).as_source()
    with ThreadPoolExecutor(1) as pool:
        me = SubtaskId("read", 0)
        ctx = SubtaskContext("job", "0" * 8, 1, "read", me, 1, SystemClock(), pool)
        reader = source.reader(ctx, ReadOptions(ROWS))
        for split in source.discover(bounded=True):
            reader.add(split)
        read: list[int] = []
        with pytest.raises(JobFailed) as stopped:
            drain(reader, read)
        reader.close()
    assert read in ([], [0], [0, 1])
    assert f"topic {topic}, partition 0, offset 2: a batch" in str(stopped.value)
    assert "damaged" in str(stopped.value)
    assert "retention" not in str(stopped.value)
