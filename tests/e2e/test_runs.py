"""Runs of one job after another: rescaled, stopped, with more input; and what a source may meet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.conftest import unique
from tests.e2e.conftest import rows
from tests.e2e.harness import Input, Job
from tests.support import generator
from tests.support.broker import Broker
from tests.support.chaos import JobProcess, until
from tests.support.topics import produce

NewJob = Callable[..., Job]
SLOW = {"E2E_RATE": "5000"}
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(params=["one process", "ray"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """Where a job runs."""
    if request.param == "ray":
        return ("--address", request.getfixturevalue("ray_head"))
    return ("--local",)


def widths(read: int, count: int, write: int) -> dict[str, str]:
    return {"E2E_READ": str(read), "E2E_COUNT": str(count), "E2E_WRITE": str(write)}


def after_commits(job: Job, count: int) -> Callable[[JobProcess], None]:
    """Ctrl-C once so many checkpoints of this run are committed."""

    def stop(process: JobProcess) -> None:
        order = f"before done done@coordinator:{count}"
        job.reached(process, order)
        process.stop()

    return stop


def test_rescaled_between_runs(
    new_job: NewJob, place: tuple[str, ...], answer: pl.DataFrame
) -> None:
    """2 -> 4 -> 1: a stop closes no window, so no row is late, and state moves with its keys."""
    job = new_job(where=place)
    for number, parallelism in enumerate((2, 4), start=2):
        job.finish(
            [f"before done done@coordinator:{number}:mark"],
            arguments=(),
            meanwhile=after_commits(job, number),
            **SLOW,
            **widths(parallelism, parallelism, max(1, parallelism // 2)),
        )
    job.finish(**widths(1, 1, 1))
    job.check(answer)


def test_more_input_between_bounded_runs(new_job: NewJob, kafka: Broker) -> None:
    """What was written stays; the windows it closed are late for what comes; nothing twice."""
    topic = kafka.create_topic(unique("e2e-grows"), 4)
    job = new_job(input=topic)
    produce(kafka.bootstrap, topic, [rows(6_000)])
    first = Input(kafka.bootstrap, topic).answer()
    job.finish()
    job.check(first)
    produce(kafka.bootstrap, topic, [rows(6_000, first=6_000)])
    job.finish()
    end = first["window_end"].max()
    later = Input(kafka.bootstrap, topic).answer().filter(pl.col("window_start") >= end)
    assert later.height > 0
    job.check(pl.concat([first, later]))
    late = rows(6_000, first=6_000).filter(pl.col("ts") < end).height
    assert late > 0
    assert f"late {late}" in job.said[-1]


def test_a_third_run_without_news_writes_nothing(job: Job, answer: pl.DataFrame) -> None:
    job.finish()
    job.finish()
    job.check(answer)


def test_input_of_transactions_that_ends_in_a_control_record(
    new_job: NewJob, kafka: Broker
) -> None:
    """The end of the topic is not a record that can be read; aborted ones are not counted."""
    topic = kafka.create_topic(unique("e2e-transactions"), 4)
    write_in_transactions(kafka.bootstrap, topic, rows(4_000))
    job = new_job(input=topic)
    job.finish(["aligned@read:1", "before done@coordinator:1"], **SLOW)
    expected = Input(kafka.bootstrap, topic).answer()
    assert expected["count"].sum() == 4_000
    job.check(expected)


def write_in_transactions(
    bootstrap: str, topic: str, frame: pl.DataFrame, partitions: Sequence[int] = (0, 1, 2, 3)
) -> None:
    """Chunks committed, each followed by one that is aborted."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": unique("input")})
    producer.init_transactions(30)
    for chunk in frame.iter_slices(500):
        for again in ("commit", "abort"):
            producer.begin_transaction()
            for index, line in enumerate(generator.to_json(chunk)):
                producer.produce(topic, line, partition=partitions[index % len(partitions)])
            # librdkafka aborts a transaction that the coordinator may not have heard of yet
            assert producer.flush(30) == 0
            if again == "commit":
                producer.commit_transaction(30)
            else:
                producer.abort_transaction(30)


def test_new_partitions_while_it_runs(new_job: NewJob, kafka: Broker) -> None:
    """They are found, read from their start, and once; the next, bounded run ends the windows.

    Only the new ones get rows: what the old ones read meanwhile would make theirs late.
    """
    topic = kafka.create_topic(unique("e2e-partitions"), 2)
    produce(kafka.bootstrap, topic, [rows(3_000)], partitions=2)
    job = new_job(input=topic, environment={"E2E_DISCOVERY": "0.5"})

    def widen(process: JobProcess) -> None:
        begun = "before done done@coordinator:2"
        job.reached(process, begun)
        add_partitions(kafka.bootstrap, topic, 4)
        write_in_transactions(kafka.bootstrap, topic, rows(3_000, first=3_000), (2, 3))
        until(lambda: published(kafka.bootstrap, topic, job.name, 4) >= 6_000, 60, "all read")
        process.stop()

    job.finish(["before done done@coordinator:2:mark"], arguments=(), meanwhile=widen, **SLOW)
    job.finish(["recover seal done@coordinator:1"])
    job.check(Input(kafka.bootstrap, topic).answer())


def add_partitions(bootstrap: str, topic: str, total: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(30)


def published(bootstrap: str, topic: str, group: str, partitions: int) -> int:
    """Sum of the offsets that the job published for lag tools."""
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        return sum(max(0, place.offset) for place in consumer.committed(places, timeout=10))
    finally:
        consumer.close()


def test_a_stop_in_the_middle_of_everything(job: Job, answer: pl.DataFrame) -> None:
    """Ctrl-C while it starts, as soon as it runs, and later; then to the end."""
    for seconds in (0.0, 0.5, 1.5):
        with job.start(arguments=(), **SLOW) as process:
            until(lambda said=process.output: "checkpoints in" in said(), 60, "start")
            time.sleep(seconds)
            process.stop()
            assert process.wait(60) in (0, 4), process.output()  # 4: before it has started
    job.finish()
    job.check(answer)


def test_storage_of_another_is_another_job(
    new_job: NewJob, tmp_path: Path, answer: pl.DataFrame
) -> None:
    """The same name with other storage is another life: it writes all again, and nothing hangs."""
    job = new_job()
    job.finish()
    job.home = tmp_path / "elsewhere"
    job.home.mkdir()
    job.finish()
    job.check(pl.concat([answer, answer]))
