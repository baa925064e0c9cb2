"""What real jobs, run in this process, say of themselves."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
from confluent_kafka import Producer

import raystream as rs
from raystream.api.jobs.run import RunOptions, run
from raystream.connectors.base import SinkWriter, WriteOptions
from raystream.connectors.collect import CollectWriter
from raystream.context import SubtaskContext
from raystream.job.outcome import Outcome
from raystream.observe.card import card
from raystream.observe.progress import progress
from raystream.observe.status import StatusDocument, StepStatus
from tests.support.broker import Broker

SCHEMA = json.loads((Path(__file__).parents[2] / "configs/status.schema.json").read_text())
MINUTE = 60_000
NOON = 1_700_049_600_000


class Watched:
    """A pipeline that is run in this process, and every document that it told."""

    def __init__(self, folder: Path, name: str, interval: str = "200ms") -> None:
        self.pipeline = rs.Pipeline(
            name, checkpoint_interval=interval, checkpoint_storage=str(folder)
        )
        self.told: list[StatusDocument] = []

    def run(self, until: Callable[[StatusDocument], Any] | None = None) -> Outcome:
        """To the end of its input; or until it tells this, then it is asked to stop."""
        stopped: list[bool] = []
        deadline = time.monotonic() + 60

        def look(status: StatusDocument) -> None:
            self.told.append(status)
            late = time.monotonic() > deadline
            if until is not None and not stopped and (late or until(status)):
                stopped.append(not late)
                os.kill(os.getpid(), signal.SIGINT)

        options = RunOptions(until=None if until else "latest", local=True, on_status=look)
        outcome = run(self.pipeline, options)
        assert until is None or stopped == [True], self.told[-1]
        for status in self.told:
            jsonschema.Draft7Validator(SCHEMA).validate(status.to_dict())
            assert StatusDocument.from_dict(json.loads(json.dumps(status.to_dict()))) == status
            assert json.loads(json.dumps(progress(status, self.told[0])))
            assert card(status)
        return outcome

    @property
    def last(self) -> StatusDocument:
        return self.told[-1]

    def step(self, name: str) -> StepStatus:
        return next(step for step in self.last.steps if step.name == name)


@pytest.fixture
def job(tmp_path: Path, job_name: str) -> Watched:
    return Watched(tmp_path, job_name)


def test_rows_that_do_not_reach_the_sink_are_counted_and_shown(job: Watched) -> None:
    good = [{"ip": f"a{n % 3}", "ts": NOON + n * 10, "status": 200} for n in range(20_000)]
    odd = [{"ip": "late", "ts": NOON - 10 * MINUTE, "status": 200}, {"ip": "x", "status": "y"}]
    payloads = [json.dumps(row).encode() for row in [*good, *odd]]
    dead, rows_of = rs.Collect(), rs.Collect()
    schema = {"ip": "string", "ts": "int", "status": "int"}
    rows = job.pipeline.read(
        rs.Payloads(payloads),
        event_time="ts",
        schema=schema,
        errors="dlq",
        watermark=rs.Watermark(out_of_orderness="1s"),
        name="read",
    )
    rows.errors.write(dead, name="dead")
    (
        rows.filter("ip != 'a0'", name="columns")
        .filter(lambda row: row["ip"] != "a1", name="function")
        .key_by("ip")
        .window(rs.tumbling("1m"), name="per-ip")
        .agg(n=rs.count())
        .write(rows_of, name="out")
    )
    job.run()

    read, columns, function = job.step("read"), job.step("columns"), job.step("function")
    assert (read.rows_out, read.dlq_rows, read.verb) == (20_001, 1, "read")
    assert read.bytes_out > read.rows_out * 16
    (sample,) = read.samples
    assert (sample.kind, sample.row) == ("dlq_rows", '{"ip": "x", "status": "y"}')
    assert "got `str` - at `status`" in sample.reason
    assert sample.origin

    assert (columns.rows_in, columns.filtered_rows) == (20_001, 6667)
    assert json.loads(columns.samples[0].row)["ip"] == "a0"
    assert (function.rows_in, function.filtered_rows, function.rows_out) == (13_334, 6667, 6667)
    assert json.loads(function.samples[0].row)["ip"] == "a1"

    late = job.step("per-ip")
    assert late.late_rows == 1
    assert '"late"' in late.samples[0].row
    assert "all windows of the row were closed" in late.samples[0].reason

    assert job.step("out").rows_in == len(rows_of.rows())
    assert job.last.total("filtered_rows") == 13_334
    assert job.last.outcome == "finished"


def test_checkpoints_are_told_with_the_times_of_all_their_parts(job: Watched) -> None:
    rows = job.pipeline.read(rs.Datagen(rate=2000, partitions=2), event_time="ts", name="read")
    rows.key_by("key").window(rs.tumbling("1s"), name="w").agg(n=rs.count()).write(rs.Collect())

    def known(status: StatusDocument) -> bool:
        return sum(e.upload_s is not None for e in status.checkpoint.history) >= 3

    job.run(until=known)
    done = [e for e in job.last.checkpoint.history if e.state == "completed"]
    assert [e.number for e in done] == list(range(1, len(done) + 1))
    entry = next(e for e in done if e.upload_s is not None and e.number > 1)
    assert entry.triggered_at_ms >= job.last.started_at_ms
    for part in (entry.align_s, entry.sync_s, entry.flush_s, entry.upload_s, entry.commit_s):
        assert part is not None
        assert 0 <= part <= (entry.duration_s or 0)
    assert entry.size_bytes > 0
    assert done[-1].final
    assert job.last.checkpoint.interval_s == 0.2
    assert job.last.storage.endswith(f"/{job.last.job}/")
    assert job.last.came_from == "nothing"

    again = Watched(Path(job.pipeline.settings.checkpoint_storage or ""), job.last.job)
    more = again.pipeline.read(rs.Datagen(rate=2000, partitions=2), event_time="ts", name="read")
    more.key_by("key").window(rs.tumbling("1s"), name="w").agg(n=rs.count()).write(rs.Collect())
    again.run(until=lambda status: status.rows_read > 0)
    assert again.last.came_from == f"checkpoint {job.last.checkpoint.number}"


def test_a_slow_step_is_named_and_its_shares_are_told(job: Watched) -> None:
    def slow(row: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.001)
        return row

    rows = job.pipeline.read(rs.Datagen(rate=2000), event_time="ts", name="read")
    rows.map(slow, name="slow").write(rs.Collect(), name="out")

    def named(status: StatusDocument) -> bool:
        return any("is the slowest step" in said for said in status.culprits)

    job.run(until=named)
    told = next(status for status in job.told if named(status))
    busiest = max(told.chains, key=lambda chain: chain.busy)
    assert busiest.subtasks[0].busy >= 0.8
    assert sum((busiest.subtasks[0].busy, busiest.subtasks[0].idle)) <= 1.01
    assert f"{busiest.name} is the slowest step" in told.culprits[0]


class Full(CollectWriter):
    """A writer that takes a batch now and then."""

    _next = 0.0

    def write(self, frame: pl.DataFrame) -> None:
        super().write(frame)
        self._next = self._ctx.clock.now() + 0.2

    def has_room(self) -> bool:
        return self._ctx.clock.now() >= self._next

    def poll(self, now: float) -> float | None:
        return now + 0.02


class Narrow(rs.Collect):
    """A sink that is slower than its job."""

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> SinkWriter:
        return Full(self.id, ctx, options)


def test_a_slow_sink_is_named(job: Watched) -> None:
    job.pipeline.read(rs.Datagen(rate=None), event_time="ts", name="read").write(
        Narrow(), name="out"
    )

    def named(status: StatusDocument) -> bool:
        return any(said.startswith("out is slow: rows in memory") for said in status.culprits)

    job.run(until=named)
    told = next(status for status in job.told if named(status))
    assert max(chain.sink_wait for chain in told.chains) > 0.2


def put(broker: Broker, topic: str, partition: int, *rows: dict[str, Any]) -> int:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    payloads = [json.dumps(row).encode() for row in rows]
    for payload in payloads:
        producer.produce(topic, payload, partition=partition)
    assert producer.flush(20) == 0
    return sum(map(len, payloads))


def test_partitions_transactions_and_bytes_of_a_job_on_kafka(
    kafka: Broker, tmp_path: Path, job_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Watched(tmp_path, job_name, interval="1m")  # its transaction stays open
    monkeypatch.delenv("RAYSTREAM_BOOTSTRAP_SERVERS", raising=False)
    source = kafka.create_topic(f"{job.pipeline.name}-in", 2)
    target = kafka.create_topic(f"{job.pipeline.name}-out", 1)
    rows = [{"ip": "a", "ts": NOON + n} for n in range(1000)]
    size = put(kafka, source, 0, *rows) + put(kafka, source, 1, {"ip": "a", "ts": NOON - 90_000})
    cluster = rs.Kafka(kafka.bootstrap)
    job.pipeline.read(
        cluster.topic(source, format="json"),
        schema={"ip": "string", "ts": "int"},
        event_time="ts",
        watermark=rs.Watermark(out_of_orderness="0s", idle_timeout="1h"),
        name="read",
    ).write(cluster.topic(target, format="json"), name="write")

    def seen(status: StatusDocument) -> bool:
        quiet = [s for s in status.splits if s.quiet_seconds is not None]
        return bool(status.transactions) and len(quiet) == 2 and status.rows_written >= 1001

    job.run(until=seen)
    told = next(status for status in job.told if seen(status))
    assert [split.split for split in told.splits] == [f"{source}/0", f"{source}/1"]
    first, second = told.splits
    assert (second.lag_rows, second.lag_seconds, second.watermark_ms) == (0, 0.0, NOON - 90_001)
    assert (first.holds_back, second.holds_back, second.idle) == (False, True, False)
    assert second.position["offset"] == 1
    said = progress(told)["why_waiting"]
    assert said == "waiting for data: all 2 splits have been read to the end"
    assert any(f"partition {source}/1 idle at" in culprit for culprit in told.culprits)

    transaction = told.transactions[0]
    assert transaction.name.startswith(job.pipeline.name)
    assert (transaction.step, transaction.subtask) == ("write", 0)
    assert 0 < transaction.age_s < transaction.limit_s
    assert told.open_transactions == len(told.transactions)

    read, write = job.step("read"), job.step("write")
    assert read.description == f"kafka topic {source}"
    assert size * 0.9 <= read.bytes_in <= size * 1.3
    assert write.bytes_out == pytest.approx(read.bytes_in, rel=0.2)


def test_of_very_many_splits_those_are_told_that_hold_event_time_back(job: Watched) -> None:
    rows = [{"ts": NOON + n} for n in range(1500)]
    source = rs.Rows(rows, partitions=len(rows))
    job.pipeline.read(source, event_time="ts", name="read").write(rs.Collect(), name="out")
    job.run()
    told = [status for status in job.told if status.splits]
    assert {len(status.splits) for status in told} == {1000}
    assert job.step("read").rows_out == 1500
