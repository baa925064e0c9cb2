"""Every split is read, once, by its own name, whoever owns it and whenever it appears."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

import raystream as rs
from raystream.connectors.collect import Collect
from raystream.connectors.files.source import Files
from raystream.errors import ConfigurationError
from tests.conftest import unique
from tests.runs import column, running
from tests.support.broker import Broker

SCHEMA = {"n": "int", "ts": "int"}
SOON = "100ms"


def pipeline(source: Any, out: Collect, name: str = "splits", **options: Any) -> rs.Pipeline:
    p = rs.Pipeline(name, checkpoint_interval="100ms")
    strategy = rs.Watermark(idle_timeout="200ms")
    rows = p.read(
        source, schema=SCHEMA, event_time="ts", watermark=strategy, name="read", **options
    )
    rows.write(out, name="out")
    return p


def write(path: Path, *numbers: int) -> None:
    text = "".join(json.dumps({"n": n, "ts": n}) + "\n" for n in numbers)
    path.with_suffix(".tmp").write_text(text)
    path.with_suffix(".tmp").replace(path)


def lines(directory: Path) -> Files:
    return Files(directory / "*.jsonl", tail=True, discovery_interval=SOON)


def put(kafka: Broker, topic: str, *numbers: int, partition: int = 0) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for n in numbers:
        producer.produce(topic, json.dumps({"n": n, "ts": n}), partition=partition)
    assert producer.flush(20) == 0


def topics(kafka: Broker, *names: str, partitions: int = 1) -> list[str]:
    return [kafka.create_topic(name, partitions) for name in names]


@pytest.mark.parametrize("there", [0, 1])
def test_files_that_come_later_are_read_whoever_owns_them(tmp_path: Path, there: int) -> None:
    """A subtask without a file waits for one; an empty directory does not end the run."""
    (tmp_path / "in").mkdir()
    for number in range(there):
        write(tmp_path / "in" / f"{number}.jsonl", number)
    out = Collect()
    with running(pipeline(lines(tmp_path / "in"), out), tmp_path / "store", parallelism=2) as run:
        time.sleep(0.5)
        for number in range(there, 6):
            write(tmp_path / "in" / f"{number}.jsonl", number)
        run.until(lambda: column(out, "n") == list(range(6)))
        assert run.stop().kind == "stopped"


def test_who_has_no_split_holds_no_window_open_and_closes_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "0.jsonl", 0)
    out = Collect()
    p = rs.Pipeline("splits", checkpoint_interval="100ms")
    read = p.read(
        lines(tmp_path / "in"),
        schema=SCHEMA,
        event_time="ts",
        watermark=rs.Watermark(out_of_orderness="0s", idle_timeout="200ms"),
    )
    read.key_by("n").window(rs.tumbling("1s")).agg(rows=rs.count()).write(out)
    with running(p, tmp_path / "store", parallelism=2) as run:
        time.sleep(0.8)
        assert out.rows() == []  # nobody has said that time is over
        write(tmp_path / "in" / "1.jsonl", 1, 5_000)
        run.until(lambda: len(out.rows()) == 2)


def test_files_that_are_not_tailed_end_the_run_where_a_subtask_has_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "0.jsonl", 1, 2)
    out = Collect()
    source = Files(tmp_path / "in")
    with running(pipeline(source, out, parallelism=2), tmp_path / "store") as run:
        assert run.ended().kind == "finished"
    assert column(out, "n") == [1, 2]


def test_partitions_added_where_a_subtask_had_none(kafka: Broker, tmp_path: Path) -> None:
    both = topics(kafka, unique("twin-a"), unique("twin-b"))
    for topic in both:
        put(kafka, topic, *range(10))
    out = Collect()
    source = rs.Kafka(kafka.bootstrap).topic(both, discovery_interval=SOON)
    with running(pipeline(source, out), tmp_path, parallelism=2) as run:
        run.until(lambda: len(out.rows()) == 20)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        for future in admin.create_partitions([NewPartitions(t, 2) for t in both]).values():
            future.result(20)
        time.sleep(0.5)
        for topic in both:
            put(kafka, topic, *range(10, 20), partition=1)
        run.until(lambda: column(out, "n") == sorted([*range(20)] * 2))


def test_a_message_is_booked_by_its_own_topic_and_a_removed_topic_is_refused(
    kafka: Broker, tmp_path: Path
) -> None:
    first, second = topics(kafka, unique("one"), unique("two"))
    put(kafka, first, *range(100))
    put(kafka, second, *range(1_000, 1_050))
    cluster, out = rs.Kafka(kafka.bootstrap), Collect()
    with running(pipeline(cluster.topic([first, second]), out), tmp_path) as run:
        run.until(lambda: len(out.rows()) == 150)
        run.stop()
    put(kafka, first, *range(100, 200))
    put(kafka, second, *range(1_050, 1_100))
    alone = pipeline(cluster.topic(first), out)
    told = f"step 'read' has read {second} so far.*--allow-non-restored-state"
    with pytest.raises(ConfigurationError, match=told), running(alone, tmp_path):
        pass
    with running(alone, tmp_path, allow_non_restored_state=True) as run:
        run.until(lambda: len(out.rows()) == 250)
        run.stop()
    assert column(out, "n") == [*range(200), *range(1_000, 1_050)]
    with running(alone, tmp_path) as run:  # it is forgotten: nothing more to allow
        put(kafka, first, 200)
        run.until(lambda: len(out.rows()) == 251)
        run.stop()
    with running(pipeline(cluster.topic([first, second]), out), tmp_path) as run:
        run.until(lambda: len(out.rows()) == 351)  # added again: from starting_offsets


@pytest.mark.parametrize(("start", "expected"), [("earliest", 8), ("latest", 6)])
def test_an_added_topic_starts_where_it_is_said(
    kafka: Broker, tmp_path: Path, start: str, expected: int
) -> None:
    first, second = topics(kafka, unique("one"), unique("two"))
    cluster, out = rs.Kafka(kafka.bootstrap), Collect()
    with running(pipeline(cluster.topic(first, starting_offsets=start), out), tmp_path) as run:
        run.until(lambda: run.status is not None and run.status.checkpoint.completed > 0)
        put(kafka, first, 0, 1)
        run.until(lambda: len(out.rows()) == 2)
        run.stop()
    put(kafka, first, 2, 3)
    put(kafka, second, 10, 11)
    both = cluster.topic([first, second], starting_offsets=start)
    with running(pipeline(both, out), tmp_path) as run:
        run.until(lambda: len(out.rows()) == expected - 2)
        put(kafka, second, 12, 13)
        run.until(lambda: len(out.rows()) == expected)
    late = [10, 11] if start == "earliest" else []
    assert column(out, "n") == [0, 1, 2, 3, *late, 12, 13]


def test_topics_of_a_pattern_are_found_while_it_runs_and_between_runs(
    kafka: Broker, tmp_path: Path
) -> None:
    word = unique("orders")
    topics(kafka, f"{word}-eu", f"my-{word}-eu")
    put(kafka, f"{word}-eu", 1)
    put(kafka, f"my-{word}-eu", 99)
    out = Collect()
    source = rs.Kafka(kafka.bootstrap).topic(
        topics=rs.pattern(f"{word}-.*"), discovery_interval=SOON, starting_offsets="earliest"
    )
    assert source.describe() == f"kafka topics like {word}-.*"
    with running(pipeline(source, out), tmp_path, parallelism=2) as run:
        run.until(lambda: column(out, "n") == [1])
        topics(kafka, f"{word}-us", partitions=3)
        for partition in range(3):
            put(kafka, f"{word}-us", 10 + partition, partition=partition)
        run.until(lambda: column(out, "n") == [1, 10, 11, 12])
        run.stop()
    topics(kafka, f"{word}-asia")
    put(kafka, f"{word}-asia", 20)
    with running(pipeline(source, out), tmp_path) as run:
        run.until(lambda: column(out, "n") == [1, 10, 11, 12, 20])


def test_a_topic_of_a_pattern_that_comes_between_runs_is_read_from_its_begin(
    kafka: Broker, tmp_path: Path
) -> None:
    """`latest` says where the first run starts: what is made later is new as a whole."""
    word, out = unique("orders"), Collect()
    source = rs.Kafka(kafka.bootstrap).topic(
        rs.pattern(f"{word}-.*"), discovery_interval=SOON, starting_offsets="latest"
    )
    with running(pipeline(source, out), tmp_path, parallelism=2) as run:
        run.until(lambda: run.status is not None and run.status.checkpoint.completed > 0)
        run.stop()
    topics(kafka, f"{word}-eu")
    put(kafka, f"{word}-eu", 1)
    with running(pipeline(source, out), tmp_path) as run:
        run.until(lambda: column(out, "n") == [1])


def test_a_topic_of_a_pattern_made_anew_or_gone_is_no_silence(
    kafka: Broker, tmp_path: Path
) -> None:
    word, out = unique("orders"), Collect()
    (topic,) = topics(kafka, f"{word}-eu")
    source = rs.Kafka(kafka.bootstrap).topic(rs.pattern(f"{word}-.*"), discovery_interval=SOON)
    put(kafka, topic, 1, 2)
    with running(pipeline(source, out), tmp_path) as run:
        run.until(lambda: column(out, "n") == [1, 2])
        run.stop()
    kafka.delete_topic(topic)
    with running(pipeline(source, out), tmp_path) as run:
        gone = run.ended()
    assert gone.kind == "failed"
    assert topic in gone.message
    topics(kafka, topic)
    put(kafka, topic, 3)
    with running(pipeline(source, out), tmp_path) as run:
        made_anew = run.ended()
    assert made_anew.kind == "failed"
    assert "deleted and made again" in made_anew.message


def test_a_pattern_is_checked_where_it_is_written_and_is_no_sink() -> None:
    with pytest.raises(ConfigurationError, match="is not a regular expression"):
        rs.pattern("orders-(")
    cluster = rs.Kafka("nowhere:9092")
    with pytest.raises(ConfigurationError, match="not to a pattern of them"):
        cluster.topic(rs.pattern("a.*")).as_sink()
    with pytest.raises(ConfigurationError, match="given twice"):
        cluster.topic("a", topics=["b"])
    with pytest.raises(ConfigurationError, match="no topic is given"):
        cluster.topic()


@pytest.mark.parametrize("errors", ["fail", "skip"])
def test_a_tailed_file_that_went_while_the_job_was_down_is_told(
    tmp_path: Path, errors: str
) -> None:
    """A checkpoint that has read half of a file: gone, it is not counted as read."""
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "0.jsonl", *range(50_000))
    write(tmp_path / "in" / "1.jsonl", 80_000)
    out = Collect()
    p = rs.Pipeline("gone", checkpoint_interval="10ms")
    rows = p.read(
        lines(tmp_path / "in"), schema=SCHEMA, event_time="ts", name="read", errors=errors
    )
    rows.map(slowly).write(out, name="out")
    with running(p, tmp_path / "store") as run:
        run.until(lambda: 0 < len(out.rows()) < 50_000)
    read = len(out.rows())
    assert read < 50_000
    (tmp_path / "in" / "0.jsonl").unlink()
    write(tmp_path / "in" / "2.jsonl", 90_000)
    with running(p, tmp_path / "store") as run:
        if errors == "fail":
            outcome = run.ended()
            assert outcome.kind == "failed"
            assert "file 0.jsonl, line " in outcome.message
            assert "gone and was not read to its end" in outcome.message
            return
        run.until(lambda: run.status is not None and run.status.total("skipped_rows") == 1)
        run.until(lambda: column(out, "n")[-2:] == [80_000, 90_000])
        (sample,) = run.status.steps[0].samples  # type: ignore[union-attr]
        assert "0.jsonl" in sample.origin
        run.stop()
    with running(p, tmp_path / "store") as run:  # told once
        write(tmp_path / "in" / "3.jsonl", 95_000)
        run.until(lambda: column(out, "n")[-1] == 95_000)
        assert run.status is not None
        assert run.status.total("skipped_rows") == 0


def test_another_directory_with_the_same_names_is_another_source(tmp_path: Path) -> None:
    for month, first in (("jan", 0), ("feb", 100)):
        (tmp_path / month).mkdir()
        write(tmp_path / month / "0.jsonl", *range(first, first + 5))
    out = Collect()
    with running(pipeline(Files(tmp_path / "jan"), out), tmp_path / "store") as run:
        assert run.ended().kind == "finished"
    moved = pipeline(Files(tmp_path / "feb" / "*.jsonl"), out)
    told = "has read files .*/jan so far, and now reads only .*--allow-non-restored-state"
    with pytest.raises(ConfigurationError, match=told), running(moved, tmp_path / "store"):
        pass
    with running(moved, tmp_path / "store", allow_non_restored_state=True) as run:
        assert run.ended().kind == "finished"
    assert column(out, "n") == [*range(5), *range(100, 105)]
    with running(pipeline(Files(tmp_path / "feb"), out), tmp_path / "store") as run:
        assert run.ended().kind == "finished"  # said otherwise, it is the same directory
    assert column(out, "n") == [*range(5), *range(100, 105)]


@pytest.mark.parametrize("tail", [False, True])
def test_a_source_in_which_nothing_is_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tail: bool
) -> None:
    (tmp_path / "in").mkdir()
    source = Files(tmp_path / "in" / "*.jsonl", tail=tail)
    with running(pipeline(source, Collect()), tmp_path / "store"):
        said = capsys.readouterr().err
    yet = " yet; it is looked for every 60 s" if tail else ""
    assert f"files {tmp_path}/in/*.jsonl: nothing is there to be read{yet}\n" in said


def test_committed_needs_offsets_only_where_no_checkpoint_knows_better(
    kafka: Broker, tmp_path: Path
) -> None:
    first, second = topics(kafka, unique("one"), unique("two"))
    put(kafka, first, 1, 2)
    put(kafka, second, 8, 9)
    cluster, out, group = rs.Kafka(kafka.bootstrap), Collect(), unique("group")

    def read(of: list[str], start: str, **options: Any) -> rs.Pipeline:
        source = cluster.topic(of, starting_offsets=start, discovery_interval=SOON, **options)
        return pipeline(source, out)

    with pytest.raises(ConfigurationError, match=f"{group} has no committed offset"):
        running(read([first], "committed", group_id=group), tmp_path).__enter__()
    with running(read([first], "earliest"), tmp_path) as run:
        run.until(lambda: column(out, "n") == [1, 2])
        run.stop()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_partitions([NewPartitions(first, 2)])[first].result(20)
    put(kafka, first, 3)
    put(kafka, first, 4, partition=1)
    with running(read([first], "committed", group_id=group), tmp_path) as run:
        run.until(lambda: column(out, "n") == [1, 2, 3, 4])
        run.stop()
    with pytest.raises(ConfigurationError, match=f"topic {second}, partition 0: group {group} has"):
        running(read([first, second], "committed", group_id=group), tmp_path).__enter__()


def slowly(row: dict[str, Any]) -> dict[str, Any]:
    time.sleep(0.00005)
    return row
