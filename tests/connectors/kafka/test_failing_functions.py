"""A function that raises names its record: topic, partition, offset, key, row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from confluent_kafka import Producer

import raystream as rs
from tests.conftest import unique
from tests.runs import running
from tests.support.broker import Broker

BAD = 205


def broken(row: dict[str, Any]) -> dict[str, Any]:
    if row["v"] == BAD:
        raise KeyError("no such city")
    return row


def broken_batch(frame: pl.DataFrame) -> pl.DataFrame:
    if (frame["v"] == BAD).any():
        raise KeyError("no such city")
    return frame


def broken_filter(row: dict[str, Any]) -> bool:
    return bool(1 / (row["v"] - BAD))


@pytest.fixture(scope="module")
def topic(kafka: Broker) -> str:
    """Two partitions; every seventh record is no JSON, and takes an offset all the same."""
    name = kafka.create_topic(unique("functions"), 2)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for n in range(300):
        value = json.dumps({"v": n, "password": "hunter2"}) if n % 7 else "{bad"
        producer.produce(name, value.encode(), f"user-{n}".encode(), n % 2)
    assert producer.flush(30) == 0
    return name


Steps = Callable[[Any], Any]
AFTER: dict[str, tuple[Steps, str]] = {
    "map": (lambda rows: rows.map(broken), "KeyError: 'no such city'"),
    "flat_map": (lambda rows: rows.flat_map(lambda r: [broken(r)] * 2), "KeyError"),
    "filter": (lambda rows: rows.filter(broken_filter), "ZeroDivisionError"),
    "second": (lambda rows: rows.map(dict).map(lambda r: r).map(broken), "KeyError"),
}


def message(kafka: Broker, topic: str, steps: Steps, storage: Path) -> str:
    p = rs.Pipeline(unique("job"), checkpoint_interval="100ms")
    read = p.read(rs.Kafka(kafka.bootstrap).topic(topic, format="json"), errors="skip")
    steps(read.filter("v % 2 = 1 or v > 190")).write(rs.Collect(), name="out")
    with running(p, storage, until="latest") as run:
        outcome = run.ended()
    assert outcome.kind == "failed"
    return outcome.message


@pytest.mark.parametrize("steps", AFTER)
def test_a_row_function_names_its_record(
    kafka: Broker, topic: str, steps: str, tmp_path: Path
) -> None:
    add, raised = AFTER[steps]
    said = message(kafka, topic, add, tmp_path)
    assert raised in said
    assert f'in the row {{"v": {BAD}, "password": "***"}}' in said
    assert f"from topic {topic}, partition 1, offset {BAD // 2}, key 'user-{BAD}'" in said
    assert "hunter2" not in said


def test_a_batch_function_names_the_offsets_of_its_batch(
    kafka: Broker, topic: str, tmp_path: Path
) -> None:
    said = message(kafka, topic, lambda rows: rows.map_batches(broken_batch), tmp_path)
    assert "KeyError: 'no such city', in a batch of " in said
    found = re.search(rf"topic {topic}, partition 1, offset (\d+)(?: to (\d+))?", said)
    assert found is not None, said
    assert int(found[1]) <= BAD // 2 <= int(found[2] or found[1])  # batches vary with the load
    assert "hunter2" not in said


def test_behind_an_exchange_it_is_told_that_the_place_is_not_known(
    kafka: Broker, topic: str, tmp_path: Path
) -> None:
    said = message(kafka, topic, lambda rows: rows.map(broken, parallelism=2), tmp_path)
    assert f'in the row {{"v": {BAD}, "password": "***"}}, behind an exchange' in said
