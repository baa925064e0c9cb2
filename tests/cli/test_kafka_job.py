"""One job from Kafka to Kafka by the command line alone: init, run, status, stop --drain."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from raystream.testing.broker import Broker
from raystream.testing.topics import produce_requests
from raystream.verify.read import read_topic
from tests.cli.conftest import COMMAND, raystream, raystream_many, started

RECORDS = 500


def test_from_the_template_to_the_drained_topic(
    kafka: Broker, ray_head: str, tmp_path: Path, job_name: str
) -> None:
    requests, counts = f"{job_name}-requests", f"{job_name}-counts"
    for topic in (requests, counts):
        kafka.create_topic(topic, 4)
    produce_requests(kafka.bootstrap, requests, RECORDS)
    text = raystream("init", "kafka/kafka", "--small").out
    for word, name in (
        ("requests-per-minute", job_name),
        ("topic: requests", f"topic: {requests}"),
        ("topic: counts", f"topic: {counts}"),
        ("interval: 10s", "interval: 1s"),
    ):
        assert word in text
        text = text.replace(word, name)
    file = tmp_path / "small.yaml"
    file.write_text(text)
    environment = {**os.environ, "RAYSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap}
    command = [*COMMAND, "run", str(file), "--address", ray_head, "--parallelism", "2"]
    command += ["--checkpoint-storage", str(tmp_path / "state")]
    with started(command, environment) as running:
        status = read_all(ray_head, job_name)
        assert status["delivery_guarantee"] == "exactly_once"
        (ended,) = raystream_many(ray_head, ["stop", job_name, "--drain", "--json"])
        said = running.communicate(timeout=60)[1]
    assert (ended.code, running.returncode) == (0, 0)
    outcome = json.loads(ended.out)
    assert (outcome["kind"], outcome["rows_in"]) == ("stopped", RECORDS)
    assert f"stopped, read {RECORDS}, written {outcome['rows_out']}" in said
    rows = [json.loads(record.value) for record in read_topic(kafka.bootstrap, counts)]
    assert sum(row["count"] for row in rows) == RECORDS
    assert len(rows) == outcome["rows_out"]


def read_all(address: str, job: str) -> dict[str, Any]:
    """The status of the job once it has read everything, and knows it."""
    deadline = time.monotonic() + 120
    while True:
        (done,) = raystream_many(address, ["status", job, "--json"])
        if done.code == 0:
            status: dict[str, Any] = json.loads(done.out)
            read = sum(s["rows_out"] for s in status["steps"] if s["counters"].get("is_source"))
            if read == RECORDS and {s["lag_rows"] for s in status["splits"]} == {0}:
                return status
        assert time.monotonic() < deadline, done
        time.sleep(0.5)
