"""One job from Kafka to Kafka by the command line alone: init, run, status, stop --drain."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from raystream.connectors.kafka.real_clients import RealClients
from raystream.verify.read import read_topic
from tests.cli.conftest import COMMAND, raystream, raystream_many, started
from tests.support.broker import Broker
from tests.support.topics import produce_requests

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
        said = running.communicate(timeout=180)[1]
    assert (ended.code, running.returncode) == (0, 0)
    outcome = json.loads(ended.out)
    assert (outcome["kind"], outcome["rows_in"]) == ("stopped", RECORDS)
    assert f"stopped, read {RECORDS}, written {outcome['rows_out']}" in said
    rows = [json.loads(record.value) for record in read_topic(kafka.bootstrap, counts)]
    assert sum(row["count"] for row in rows) == RECORDS
    assert len(rows) == outcome["rows_out"]


CANCELLED = """\
import raystream as rs
p = rs.Pipeline("{name}", checkpoint_interval="5m", checkpoint_storage="{here}/state")
kafka = rs.Kafka("{bootstrap}")
rows = p.read(kafka.topic("{name}-requests"), schema={{"ip": str}})
rows.write(kafka.topic("{name}-copy"))
"""


def test_a_cancelled_job_tells_what_is_committed_and_leaves_no_transaction_open(
    kafka: Broker, ray_head: str, tmp_path: Path, job_name: str
) -> None:
    for topic in (f"{job_name}-requests", f"{job_name}-copy"):
        kafka.create_topic(topic, 4)
    produce_requests(kafka.bootstrap, f"{job_name}-requests", RECORDS)
    text = CANCELLED.format(name=job_name, here=tmp_path, bootstrap=kafka.bootstrap)
    (tmp_path / "job.py").write_text(text)
    command = [*COMMAND, "run", f"{tmp_path}/job.py:p", "--address", ray_head]
    with started([*command, "--parallelism", "2"]) as running:
        status = read_all(ray_head, job_name)
        assert status["open_transactions"] > 0
        began = time.monotonic()
        (cancelled,) = raystream_many(ray_head, ["cancel", job_name])
        assert open_transactions(kafka, job_name) == []
        assert time.monotonic() - began < 20
        said = running.communicate(timeout=60)[1]
    assert (cancelled.code, running.returncode) == (4, 4)
    for err in (cancelled.err, said):
        assert "cancelled, committed: read 0, written 0\n" in err
        assert f"at least {RECORDS} rows were in flight and are not written; the next run" in err
    assert readable_to_the_end(kafka, f"{job_name}-copy")


def open_transactions(kafka: Broker, job: str) -> list[str]:
    """Transactional ids of the job that a broker holds open (ListTransactions)."""
    admin = RealClients().transactions({"bootstrap_servers": kafka.bootstrap})
    try:
        return [tid for tid in admin.ongoing() if job in tid]
    finally:
        admin.close()


def readable_to_the_end(kafka: Broker, topic: str) -> bool:
    """The last stable offset of each partition is its end: no reader waits for a transaction."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    ends = []
    for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED):
        asked = {TopicPartition(topic, n): OffsetSpec.latest() for n in range(4)}
        told = admin.list_offsets(asked, isolation_level=level)
        ends.append({each.partition: done.result(30).offset for each, done in told.items()})
    return ends[0] == ends[1] and sum(ends[0].values()) > 0


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
