"""The three jobs of the mission as YAML: on a real broker the same bytes as their Python twins."""

from __future__ import annotations

import json
import re
import runpy
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from raystream.api.pipeline import Pipeline
from raystream.config.load import load_pipeline
from tests.config.corpus import CONFIGS
from tests.support.broker import Broker

PIPELINES = CONFIGS.parent / "pipelines"
BASE = 1_700_000_000_000
ROWS = 200
KINDS = ["impression", "impression", "click", "install", "purchase"]
Row = dict[str, Any]


def request(number: int) -> Row:
    return {"ts": BASE + number * 900, "ip": f"10.0.0.{number % 5}", "status": 200}


def order(number: int) -> Row:
    item = {"product": f"p{number % 3}", "quantity": 1 + number % 2, "price": 1.5}
    return {"ts": BASE + number * 900, **item}


def event(number: int) -> Row:
    kind = KINDS[number % 5]
    amount = 3.25 if kind == "purchase" else None
    return {
        "ts": BASE + number * 900,
        "campaign": f"c{number % 2}",
        "event": kind,
        "amount": amount,
    }


JOBS: dict[str, tuple[str, Callable[[int], Row], list[str]]] = {
    "requests_per_minute": ("requests", request, ["counts"]),
    "order_totals": ("orders", order, ["order-totals-per-minute", "order-totals-since-start"]),
    "campaign_effect": ("app-events", event, ["campaign-effect"]),
}


@pytest.mark.parametrize("job", JOBS)
def test_the_same_bytes(
    job: str, kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYSTREAM_BOOTSTRAP_SERVERS", kafka.bootstrap)
    monkeypatch.setenv("SALE_START_MS", str(BASE))
    source, make, sinks = JOBS[job]
    suffix = uuid.uuid4().hex[:8]
    kafka.create_topic(f"{source}-{suffix}", 2)
    feed(kafka, f"{source}-{suffix}", [make(number) for number in range(ROWS)])
    found = {}
    for kind in (".py", ".yaml"):
        topics = {source: f"{source}-{suffix}"}
        topics |= {sink: f"{sink}-{kind[1:]}-{suffix}" for sink in sinks}
        for sink in sinks:
            kafka.create_topic(topics[sink], 2)
        pipeline = loaded(job, kind, topics, tmp_path)
        storage = str(tmp_path / f"storage{kind}")
        outcome = pipeline.run(until="latest", local=True, checkpoint_storage=storage)
        assert (outcome.kind, outcome.rows_in) == ("finished", ROWS)
        found[kind] = [committed(kafka, topics[sink]) for sink in sinks]
    assert all(found[".py"])
    assert found[".yaml"] == found[".py"]


def loaded(job: str, kind: str, topics: dict[str, str], directory: Path) -> Pipeline:
    """The job with other names of topics."""
    folder, pattern = {
        ".py": (PIPELINES, r'(topic\(")([^"]+)'),
        ".yaml": (CONFIGS, r"(topic: )([\w-]+)"),
    }[kind]
    text = (folder / f"{job}{kind}").read_text()
    path = directory / f"{job}{kind}"
    path.write_text(re.sub(pattern, lambda match: match[1] + topics[match[2]], text))
    if kind == ".yaml":
        return load_pipeline(str(path))
    pipeline: Pipeline = runpy.run_path(str(path))["p"]
    return pipeline


def feed(kafka: Broker, topic: str, rows: list[Row]) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for number, row in enumerate(rows):
        producer.produce(topic, json.dumps(row), partition=number % 2)
    assert producer.flush(20) == 0


def committed(kafka: Broker, topic: str) -> list[tuple[int, bytes, bytes]]:
    """Partition, key and value of every final row."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.subscribe([topic])
    found: list[tuple[int, bytes, bytes]] = []
    ended: set[int] = set()
    while len(ended) < 2:
        for message in consumer.consume(500, 1.0):
            if message.error():
                ended.add(message.partition())
            elif json.loads(message.value()).get("final", True):  # early rows come by the clock
                found.append((message.partition(), message.key(), message.value()))
    consumer.close()
    return sorted(found)
