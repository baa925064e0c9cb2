"""What a broker refuses for good ends the job, with record and option; sizes fit the topic."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

import raystream as rs
from raystream.connectors.kafka.clients import Undelivered
from raystream.connectors.kafka.failures import ADVICE, PASSING, first_refusal, write_failure
from raystream.connectors.kafka.transactional_id import TransactionalId, parse
from raystream.errors import DataError, JobFailed
from raystream.storage.open import job_store, store_id
from tests.conftest import unique
from tests.runs import running
from tests.support.broker import Broker

DAY = 86_400_000
NOW = int(time.time() * 1000)


def job(kafka: Broker, config: dict[str, str], rows: list[dict[str, Any]], **sink: Any) -> Any:
    topic = kafka.create_topic(unique("refusals"), 1, config)
    p = rs.Pipeline(unique("job"), checkpoint_interval="100ms")
    p.read(rs.Rows(rows)).write(rs.Kafka(kafka.bootstrap).topic(topic, **sink), name="out")
    return p, topic


REFUSED: list[tuple[dict[str, str], list[dict[str, Any]], dict[str, Any], list[str]]] = [
    (
        {"message.timestamp.after.max.ms": "3600000"},
        [{"n": 1, "at": NOW}, {"n": 2, "at": NOW + 30 * DAY}, {"n": 3, "at": NOW}],
        {"timestamp": "at"},
        ["INVALID_TIMESTAMP", f"timestamp {NOW + 30 * DAY}", '"n":2', "after.max.ms"],
    ),
    (
        {"cleanup.policy": "compact"},
        [{"k": "a", "n": 1}, {"k": None, "n": 2}],
        {"key": "k"},
        ["INVALID_RECORD", "no key", '"n":2', "give key= or key_by"],
    ),
    (
        {"max.message.bytes": "10000"},
        [{"n": 1}, {"n": 2, "s": "x" * 20_000}],
        {},
        ["MSG_SIZE_TOO_LARGE", '"n":2', "max.message.bytes of the topic (now 10000)"],
    ),
]


@pytest.mark.parametrize(("config", "rows", "sink", "said"), REFUSED, ids=["time", "key", "size"])
@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_it_ends_the_job_with_the_record_and_the_option(
    kafka: Broker, tmp_path: Path, config: Any, rows: Any, sink: Any, said: Any, guarantee: str
) -> None:
    p, topic = job(kafka, config, rows, delivery_guarantee=guarantee, **sink)
    with running(p, tmp_path, until="latest") as run:
        outcome = run.ended()
    assert outcome.kind == "failed"
    assert outcome.restarts <= 2
    for words in (*said, f"topic {topic}, partition 0"):
        assert words in outcome.message


def test_the_live_line_shows_the_reason_before_any_name(kafka: Broker, tmp_path: Path) -> None:
    from raystream.observe.live_line import live_line
    from raystream.observe.live_lines import live_lines

    p, _ = job(kafka, {"cleanup.policy": "compact"}, [{"n": 1}])
    with running(p, tmp_path, until="latest") as run:
        run.ended()
        assert run.status is not None
        assert "(records were not delivered: " in live_line(run.status)
        lines = ["".join(text for text, _ in line) for line in live_lines(run.status)]
    (restarts,) = [line for line in lines if line.strip().startswith("restarts")]
    assert "records were not delivered: INVALID_RECORD: " in restarts


def test_small_records_arrive_where_batches_must_be_small(kafka: Broker, tmp_path: Path) -> None:
    rows = [{"n": n, "s": "x" * 80} for n in range(20_000)]
    for guarantee in ("exactly_once", "at_least_once"):
        p, topic = job(kafka, {"max.message.bytes": "32768"}, rows, delivery_guarantee=guarantee)
        with running(p, tmp_path, until="latest") as run:
            assert run.ended().kind == "finished"
        assert count(kafka, topic) == len(rows)


def test_a_record_as_large_as_its_topic_takes(kafka: Broker, tmp_path: Path) -> None:
    p, topic = job(kafka, {"max.message.bytes": "10485760"}, [{"n": 1, "s": "x" * 2_000_000}])
    with running(p, tmp_path, until="latest") as run:
        assert run.ended().kind == "finished"
    assert count(kafka, topic) == 1


def count(kafka: Broker, topic: str) -> int:
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": "test-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found, deadline = 0, time.monotonic() + 20
    while time.monotonic() < deadline:
        for message in consumer.consume(5000, 0.1):
            if message.error() is not None:
                consumer.close()
                return found
            found += 1
    raise AssertionError(topic)


def test_what_is_not_known_to_pass_is_final() -> None:
    assert isinstance(write_failure("x", "t", "_TRANSPORT"), ConnectionError)
    for name in ("INVALID_CONFIG", "ERR_4711?", "_INVALID_ARG", *ADVICE):
        failure = write_failure("x", "t", name)
        assert isinstance(failure, JobFailed)
        assert failure.what_to_do
    lost = Undelivered("_INVALID_DIFFERENT_RECORD", "x")
    bad = Undelivered("INVALID_RECORD", "x")
    assert first_refusal([lost, bad]) is bad
    assert first_refusal([lost]) is lost
    assert first_refusal([]) is None
    assert not PASSING & ADVICE.keys()


def test_a_time_of_0_is_never_made_now(kafka: Broker, tmp_path: Path) -> None:
    """Librdkafka takes 0 for now: it is said, with the column."""
    import polars as pl

    from raystream.connectors.base import WriteOptions
    from raystream.connectors.kafka.outgoing import to_messages
    from raystream.data.schema import Schema
    from raystream.formats.json import Json

    schema = Schema({"n": pl.Int64(), "at": pl.Int64()})
    convert = to_messages(Json(), WriteOptions(schema), None, "at")
    assert convert(pl.DataFrame({"n": [1, 2], "at": [-7, None]})).timestamps == [-7, None]
    with pytest.raises(DataError, match="column 'at' holds 0"):
        convert(pl.DataFrame({"n": [1, 2], "at": [5, 0]}))


@pytest.mark.parametrize("prefix", ["", "team.", "a.b.", "ü/", "x.0a1b2c3d.1.w.0.1."])
def test_any_prefix_is_read_back_from_a_name(prefix: str) -> None:
    one = TransactionalId(f"{prefix}job", "0a1b2c3d", 4, "write", 1, 2)
    assert parse(str(one)) == one


@pytest.mark.parametrize(
    ("pipeline", "options"),
    [
        ("exactly_once", {"transactional_id_prefix": "team.a."}),
        ("at_least_once", {"delivery_guarantee": "exactly_once"}),
    ],
)
def test_strays_are_aborted_whatever_the_prefix_and_the_pipeline(
    kafka: Broker, tmp_path: Path, pipeline: str, options: dict[str, str]
) -> None:
    """What a dead attempt left open holds readers up only until the next run."""
    topic, source = kafka.create_topic(unique("out"), 1), tmp_path / "in.jsonl"
    source.write_text('{"n": 1}\n')
    name, cluster = unique("job"), rs.Kafka(kafka.bootstrap)
    p = rs.Pipeline(name, delivery_guarantee=pipeline, checkpoint_interval="100ms")
    rows = p.read(rs.Files(source, tail=True), schema={"n": "int"})
    rows.write(cluster.topic(topic, **options), name="out")
    with running(p, tmp_path) as run:
        run.until(lambda: run.status is not None and run.status.checkpoint.completed > 0)
        run.stop()
    job = options.get("transactional_id_prefix", "") + name
    identity = store_id(job_store(str(tmp_path), name))
    dead = leave_open(kafka, topic, str(TransactionalId(job, identity, 0, "out", 0, 0)))
    held = end_of(kafka, topic, "read_committed")
    assert held < end_of(kafka, topic, "read_uncommitted")
    with running(p, tmp_path) as run:
        run.until(lambda: end_of(kafka, topic, "read_committed") > held, seconds=20)
    del dead


def leave_open(kafka: Broker, topic: str, tid: str) -> Producer:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": tid})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b'{"n": 0}')
    assert producer.flush(20) == 0
    return producer


def end_of(kafka: Broker, topic: str, isolation: str) -> int:
    config = {"bootstrap.servers": kafka.bootstrap, "group.id": "test-reader"}
    consumer = Consumer({**config, "isolation.level": isolation})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
    consumer.close()
    return end
