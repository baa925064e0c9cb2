"""The pipelines of the mission on a real broker, against plain Python."""

from __future__ import annotations

import json
import re
import runpy
import uuid
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

import raystream as rs
from tests.support.broker import Broker

PIPELINES = Path(__file__).parents[2] / "pipelines"
BASE = 1_700_000_000_000
MINUTE = 60_000
ROWS = 1000
Row = dict[str, Any]


class Stage:
    """A pipeline of the repository on topics of its own."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self._broker = broker
        self._directory = directory
        self._suffix = uuid.uuid4().hex[:8]

    def topic(self, name: str) -> str:
        return f"{name}-{self._suffix}"

    def load(self, name: str) -> rs.Pipeline:
        text = (PIPELINES / f"{name}.py").read_text()
        path = self._directory / f"{name}.py"
        renamed = re.sub(r'topic\("([^"]+)"', lambda m: f'topic("{self.topic(m[1])}"', text)
        path.write_text(renamed)
        for topic in re.findall(r'topic\("([^"]+)"', renamed):
            self._broker.create_topic(topic, 2)
        pipeline: rs.Pipeline = runpy.run_path(str(path))["p"]
        return pipeline

    def feed(self, topic: str, rows: list[Row]) -> None:
        producer = Producer({"bootstrap.servers": self._broker.bootstrap})
        for number, row in enumerate(rows):
            producer.produce(self.topic(topic), json.dumps(row), partition=number % 2)
        assert producer.flush(20) == 0

    def committed(self, topic: str, n: int) -> list[tuple[str, Row]]:
        """(key, final row) of all records; n is how many final ones there must be."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._broker.bootstrap,
                "group.id": uuid.uuid4().hex,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
            }
        )
        consumer.subscribe([self.topic(topic)])
        found: list[tuple[str, Row]] = []
        ended: set[int] = set()
        while len(ended) < 2:
            for message in consumer.consume(500, 1.0):
                if message.error():
                    ended.add(message.partition())
                else:
                    found.append((message.key().decode(), json.loads(message.value())))
        consumer.close()
        final = [(key, row) for key, row in found if row.get("final", True)]
        assert len(final) == n
        return final


@pytest.fixture
def stage(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("RAYSTREAM_BOOTSTRAP_SERVERS", kafka.bootstrap)
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", str(tmp_path / "storage"))
    monkeypatch.setenv("SALE_START_MS", str(BASE))
    return Stage(kafka, tmp_path)


def finish(pipeline: rs.Pipeline) -> None:
    outcome = pipeline.run(until="latest", local=True)
    assert (outcome.kind, outcome.rows_in, outcome.late) == ("finished", ROWS, 0)


def test_requests_per_minute(stage: Stage) -> None:
    pipeline = stage.load("requests_per_minute")
    rows = [{"ts": BASE + i * 200, "ip": f"10.0.0.{i % 5}", "status": 200} for i in range(ROWS)]
    stage.feed("requests", rows)
    finish(pipeline)
    expected = Counter((row["ip"], row["ts"] // MINUTE * MINUTE) for row in rows)
    found = stage.committed("counts", len(expected))
    assert {(row["ip"], row["window_start"]): row["count"] for _, row in found} == expected
    assert all(key == row["ip"] for key, row in found)


def test_order_totals(stage: Stage) -> None:
    pipeline = stage.load("order_totals")
    rows = [
        {"ts": BASE + i * 200, "product": f"p{i % 3}", "quantity": 1 + i % 2, "price": 1.5}
        for i in range(ROWS)
    ]
    stage.feed("orders", rows)
    finish(pipeline)
    expected: dict[tuple[str, int], list[float]] = defaultdict(lambda: [0, 0, 0.0])
    whole: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for row in rows:
        start = BASE + (row["ts"] - BASE) // MINUTE * MINUTE
        for sums in (expected[row["product"], start], whole[row["product"]]):
            sums[0] += 1
            sums[1] += row["quantity"]
            sums[2] += row["quantity"] * row["price"]
    found = stage.committed("order-totals-per-minute", len(expected))
    assert {(r["product"], r["window_start"]): sums_of(r) for _, r in found} == expected
    running = stage.committed("order-totals-since-start", 24 * 3)  # a day, hour by hour
    assert {r["window_start"] for _, r in running} == {BASE}
    assert [r for _, r in running if sums_of(r) != whole[r["product"]]] == []


def sums_of(row: Row) -> list[float]:
    return [row["orders"], row["quantity"], row["amount"]]


KINDS = ["impression", "impression", "impression", "click", "install", "purchase", "click"]


def test_campaign_effect(stage: Stage) -> None:
    pipeline = stage.load("campaign_effect")
    rows = [
        {
            "ts": BASE + i * 2000,
            "campaign": f"c{i % 2}",
            "event": KINDS[i % 7],
            "amount": 3.0 if KINDS[i % 7] == "purchase" else None,
        }
        for i in range(ROWS)
    ]
    stage.feed("app-events", rows)
    finish(pipeline)
    kinds: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for row in rows:
        first = row["ts"] // MINUTE * MINUTE - 9 * MINUTE
        for start in range(first, first + 10 * MINUTE, MINUTE):
            kinds[row["campaign"], start][row["event"]] += 1
    found = stage.committed("campaign-effect", len(kinds))
    for _, row in found:
        counted = kinds[row["campaign"], row["window_start"]]
        assert row["impressions"] == counted["impression"]
        assert row["revenue"] == 3.0 * counted["purchase"]
        assert row["click_rate"] == rate(counted["click"], counted["impression"])
        assert row["conversion_rate"] == rate(counted["purchase"], counted["click"])


def rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None
