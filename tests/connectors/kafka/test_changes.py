"""A stream of changes from topic to topic, exactly once over a failure and a rescale."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

import raystream as rs
from raystream.errors import JobFailed
from raystream.verify.evaluate import evaluate
from tests.support.broker import Broker

POISON = -1
SCHEMA = {"shop": "string", "n": "int"}


def produce(broker: Broker, topic: str, rows: list[dict[str, Any]]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number, row in enumerate(rows):
        producer.produce(topic, json.dumps(row), partition=number % 2)
    assert producer.flush(20) == 0


def committed(broker: Broker, topic: str) -> list[tuple[str, dict[str, Any] | None]]:
    """(key, row) of each record; None: a tombstone."""
    settings = {
        "bootstrap.servers": broker.bootstrap,
        "group.id": uuid.uuid4().hex,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    found: list[tuple[str, dict[str, Any] | None]] = []
    ended: set[int] = set()
    while len(ended) < 2:
        for message in consumer.consume(500, 1.0):
            if message.error():
                ended.add(message.partition())
            else:
                value = message.value()
                found.append((message.key().decode(), value and json.loads(value)))
    consumer.close()
    return found


class Shops:
    """A table of shops that sold more than 20, by a topic of orders."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker, self.folder, self.fails = broker, folder, True
        ends = ("orders", "shops", "log")
        self.topics = {name: f"{name}-{uuid.uuid4().hex[:8]}" for name in ends}
        for topic in self.topics.values():
            broker.create_topic(topic, 2)

    def refuse(self, row: dict[str, Any]) -> bool:
        if self.fails and row["n"] == POISON:
            raise ValueError("poison")
        return True

    def pipeline(self, parallelism: int) -> rs.Pipeline:
        kafka = rs.Kafka(self.broker.bootstrap)
        p = rs.Pipeline(
            "shops",
            checkpoint_storage=str(self.folder),
            checkpoint_interval="50ms",
            parallelism=parallelism,
        )
        orders = p.read(kafka.topic(self.topics["orders"]), schema=SCHEMA, name="orders")
        sums = orders.filter(self.refuse).key_by("shop").aggregate(total=rs.sum("n"), name="sums")
        large = sums.filter("total % 7 != 0")
        large.write(kafka.topic(self.topics["shops"]), changes="upsert", name="shops")
        large.write(kafka.topic(self.topics["log"]), changes="log", name="log")
        return p

    def read_back(self, parallelism: int) -> rs.Pipeline:
        """The table and the log as tables again, each a line in a file per change."""
        kafka = rs.Kafka(self.broker.bootstrap)
        p = rs.Pipeline(
            "back",
            checkpoint_storage=str(self.folder),
            checkpoint_interval="50ms",
            parallelism=parallelism,
        )
        schema = {"shop": "string", "total": "int"}
        for name, mode in (("shops", "upsert"), ("log", "log")):
            topic = kafka.topic(self.topics[name])
            table = p.read(topic, changes=mode, key="shop", schema=schema, name=name)
            table.write(rs.Files(self.folder / f"{name}-back"), changes="log", name=f"{name}-back")
        return p

    def followed(self, name: str) -> dict[str, int]:
        """The table that the changes of a file leave, each of which must fit those before it."""
        there: dict[str, int] = {}
        parts = (self.folder / f"{name}-back").glob("part-*")
        for part in sorted(parts, key=lambda path: path.stat().st_mtime_ns):
            for change in map(json.loads, part.read_text().splitlines()):
                if change["op"] in ("update_before", "delete"):
                    assert there.pop(change["shop"]) == change["total"]
                else:
                    assert change["shop"] not in there
                    there[change["shop"]] = change["total"]
        return there


def test_changes_are_written_once_over_a_failure_and_a_rescale(
    kafka: Broker, tmp_path: Path
) -> None:
    shops = Shops(kafka, tmp_path)
    rows = [{"shop": "abcde"[n % 5], "n": n} for n in range(1, 40)]
    produce(kafka, shops.topics["orders"], rows)
    shops.pipeline(2).run(until="latest", local=True)
    shops.read_back(1).run(until="latest", local=True)
    more = [*({"shop": "abcdef"[n % 6], "n": n} for n in range(60)), {"shop": "a", "n": POISON}]
    produce(kafka, shops.topics["orders"], more)
    with pytest.raises(JobFailed, match="poison"):
        shops.pipeline(2).run(until="latest", local=True)
    shops.fails = False
    shops.pipeline(1).run(until="latest", local=True)

    right = evaluate(shops.pipeline(1).graph(), {"orders": [*rows, *more]})["shops"]
    table: dict[str, Any] = {}
    for key, row in committed(kafka, shops.topics["shops"]):
        table.pop(key, None)
        if row is not None:
            assert row["shop"] == key
            table[key] = row
    assert sorted(table.values(), key=str) == sorted(right, key=str)
    there: dict[str, Any] = {}
    for key, change in committed(kafka, shops.topics["log"]):
        assert change is not None
        if change["op"] in ("update_before", "delete"):
            assert there.pop(key) == change["total"], "every change follows the one before"
        else:
            assert key not in there
            there[key] = change["total"]
    assert there == {key: row["total"] for key, row in table.items()}

    shops.read_back(1).run(until="latest", local=True)
    shops.read_back(2).run(until="latest", local=True)
    for name in ("shops", "log"):
        assert shops.followed(name) == there, "what was written is read back as the same table"


def test_records_that_are_no_changes_go_by_the_policy_of_the_read(kafka: Broker) -> None:
    topic = f"users-{uuid.uuid4().hex[:8]}"
    kafka.create_topic(topic, 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    records: list[tuple[str | None, str | None]] = [
        ("1", '{"op": "c", "after": {"id": 1, "n": 5}, "ts_ms": 1}'),
        ("1", '{"op": "u", "after": null}'),
        ("1", '{"op": "d", "before": {"id": 1, "n": 5}}'),
        ("1", None),
        ("2", '{"op": "r", "after": {"id": 2, "n": 7}, "ts_ms": 1}'),
    ]
    for key, value in records:
        producer.produce(topic, value, key)
    assert producer.flush(20) == 0
    p = rs.Pipeline("users")
    schema = {"id": "int", "n": "int"}
    source = rs.Kafka(kafka.bootstrap).topic(topic)
    users = p.read(source, changes="debezium", key="id", schema=schema, errors="dlq")
    users.errors.write(rs.Collect(), name="dead")
    users.write(rs.Collect(), changes="log", name="log")
    assert p.collect(sink="log").rows() == [
        ("insert", 1, 5),
        ("delete", 1, 5),
        ("insert", 2, 7),
    ]
    (reason,) = p.collect(sink="dead")["reason"].to_list()
    assert reason == "no envelope of Debezium: op 'u' without the row 'after'"
