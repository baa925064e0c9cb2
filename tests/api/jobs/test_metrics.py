"""What a running job from Kafka to Kafka tells at /metrics: every name of api-and-yaml.md 4.5."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

import raystream as rs
from raystream.api.jobs.run import RunOptions, run
from tests.conftest import unique
from tests.observe.test_prometheus import NAMES
from tests.support.broker import Broker

Told = dict[str, dict[frozenset[tuple[str, str]], float]]

LATER = ("restart_downtime_seconds",)
"""Only a job that was down has it."""


class Alarm(rs.Process):
    """Sets a timer far away for each key."""

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        ctx.timer(ctx.time + 10**9)
        yield row


def _pipeline(kafka: Broker, storage: Path) -> rs.Pipeline:
    source, sink = unique("in"), unique("out")
    kafka.create_topic(source, 2)
    kafka.create_topic(sink, 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    now = time.time_ns() // 10**6
    for n in range(10):
        row = {"ip": f"a{n % 3}", "ts": now - 500 + n}
        producer.produce(source, json.dumps(row), partition=n % 2)
    assert producer.flush(20) == 0
    p = rs.Pipeline(unique("told"), checkpoint_storage=str(storage), checkpoint_interval="200ms")
    broker = rs.Kafka(kafka.bootstrap)
    rows = p.read(
        broker.topic(source),
        schema={"ip": "string", "ts": "int"},
        event_time="ts",
        name="read",
    )
    late = rows.key_by("ip").window(rs.tumbling("1h"), name="hourly").agg(n=rs.count())
    late.write(broker.topic(sink), name="counts")
    alarms = rows.key_by("ip").process(Alarm(), schema={"ip": "string", "ts": "int"}, name="alarm")
    alarms.write(broker.topic(sink), name="rows")
    return p


def _scraped(address: str) -> Told:
    with urllib.request.urlopen(f"{address}metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    found: Told = {}
    for family in families:
        for sample in family.samples:
            name = sample.name.removeprefix("raystream_")
            found.setdefault(name, {})[frozenset(sample.labels.items())] = sample.value
    return found


def test_a_running_job_tells_every_name_with_its_labels(
    kafka: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    p = _pipeline(kafka, tmp_path)
    found: Told = {}

    def look() -> None:
        until = time.monotonic() + 60
        while not (said := re.search(r"page at (http\S+/)", capsys.readouterr().err)):
            assert time.monotonic() < until
            time.sleep(0.01)
        while time.monotonic() < until and not _complete(found):
            time.sleep(0.2)
            found.clear()
            found.update(_scraped(said[1]))
        request = urllib.request.Request(
            f"{said[1]}api/v1/jobs/{p.name}/stop", method="POST", headers={"X-Raystream": "test"}
        )
        urllib.request.urlopen(request, timeout=30).close()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    assert run(p, RunOptions(local=True, ui=True)).kind == "stopped"
    looking.join(30)
    labels = {name: {key for tags in found.get(name, ()) for key, _ in tags} for name in NAMES}
    assert {n: labels[n] for n in NAMES if n not in LATER} == {
        n: NAMES[n] for n in NAMES if n not in LATER
    }
    assert sum(found["timers"].values()) == 10
    assert sum(found["windows_open"].values()) in {1, 2}  # an hour may just end
    assert sum(found["transactions_total"].values()) >= 1
    assert all(0.3 < lag < 60 for lag in found["emit_lag_seconds"].values())
    assert {dict(tags)["partition"] for tags in found["emit_lag_seconds"]} == {"0", "1"}


def _complete(found: Told) -> bool:
    settled = all(name in found for name in NAMES if name not in LATER)
    return (
        settled
        and sum(found["timers"].values()) == 10
        and sum(found["transactions_total"].values()) >= 1
    )
