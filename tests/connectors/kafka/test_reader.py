"""The reader on a real broker: runs, positions, ends, metadata, rejects, and what stops it."""

from __future__ import annotations

import time

import polars as pl
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, RaystreamError
from raystream.native import SWITCH, why_not

NUMBERS = Schema({"n": pl.Int64()})


@pytest.fixture(autouse=True, params=["python", "native"])
def reads(request, monkeypatch):
    """Each test by both ways of reading."""
    if request.param == "native" and why_not():
        pytest.skip(f"no native reader: {why_not()}")
    monkeypatch.setenv(SWITCH, "1" if request.param == "native" else "0")


def _number(n, partition=0, **more):
    return {"value": f'{{"n":{n},"other":"x"}}'.encode(), "partition": partition, **more}


def _commit(producer):
    producer.commit_transaction(30)


def test_bounded_read_gives_each_record_once_with_positions(bench, topic):
    bench.produce(topic, *[_number(n, n % 2) for n in range(5000)])
    source = bench.kafka().topic(topic).as_source()
    splits = source.discover(bounded=True)
    assert [s.id for s in splits] == [f"{topic}/0", f"{topic}/1"]
    assert [s.end for s in splits] == [{"offset": 2500}] * 2
    bench.produce(topic, *[_number(9999, p) for p in (0, 1)])  # behind the end: not read
    reader = bench.reader(source, NUMBERS, event_time="n")
    bench.add_all(reader, splits)
    frame, chunks = bench.drain(reader, reader.finished)
    assert sorted(frame["n"].to_list()) == list(range(5000))
    assert frame.columns == ["n"]
    assert {s: p["offset"] for s, p in bench.positions(chunks).items()} == {
        f"{topic}/0": 2500,
        f"{topic}/1": 2500,
    }
    for chunk in chunks:
        assert chunk.runs[0].first == 0
        for before, after in zip(chunk.runs, chunk.runs[1:], strict=False):
            assert before.last == after.first
        for run in chunk.runs:
            parity = {n % 2 for n in chunk.frame["n"][run.first : run.last].to_list()}
            assert parity <= {int(run.split[-1])}
    reader.close()


def test_partitions_that_are_paused_wait_and_are_read_on_without_a_gap(bench, topic):
    bench.produce(topic, *[_number(n, n % 2) for n in range(2000)])
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, NUMBERS, event_time="n")
    bench.add_all(reader, source.discover(bounded=True))
    reader.pause(frozenset([f"{topic}/1"]))
    first, _ = bench.drain(reader, lambda: reader.lag()[f"{topic}/0"] == 0)
    assert sorted(first["n"].to_list()) == list(range(0, 2000, 2))
    assert not reader.finished()
    assert not reader.caught_up(f"{topic}/1")
    reader.pause(frozenset())
    rest, _ = bench.drain(reader, reader.finished)
    assert rest["n"].to_list() == list(range(1, 2000, 2))
    reader.close()


def test_a_position_in_the_middle_reads_on_from_there(bench, topic):
    bench.produce(topic, *[_number(n) for n in range(100)])
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, NUMBERS, event_time="n")
    bench.add_all(reader, source.discover(bounded=True))
    _, chunks = bench.drain(reader, reader.finished)
    reader.close()
    bench.produce(topic, *[_number(n) for n in range(100, 150)])
    (split, _) = source.discover(bounded=True)
    resumed = bench.reader(source, NUMBERS, event_time="n")
    resumed.add(type(split)(split.id, bench.positions(chunks)[split.id], split.end))
    frame, _ = bench.drain(resumed, resumed.finished)
    assert frame["n"].to_list() == list(range(100, 150))
    resumed.close()


def test_control_records_at_the_end_do_not_keep_a_bounded_read_waiting(bench, topic):
    _commit(bench.produce(topic, _number(1), _number(2), **{"transactional.id": bench.job}))
    aborted = bench.produce(topic, _number(3), **{"transactional.id": bench.job})
    aborted.abort_transaction(30)
    source = bench.kafka().topic(topic).as_source()
    deadline = time.monotonic() + 10
    while (splits := source.discover(bounded=True))[0].end != {"offset": 5}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    reader = bench.reader(source, NUMBERS, event_time="n")
    bench.add_all(reader, splits)
    frame, chunks = bench.drain(reader, reader.finished)
    assert frame["n"].to_list() == [1, 2]
    assert bench.positions(chunks)[f"{topic}/0"]["offset"] == 5
    assert reader.caught_up(f"{topic}/0")
    reader.close()


def test_open_transactions_are_not_read(bench, topic):
    open_one = bench.produce(topic, _number(1), **{"transactional.id": bench.job})
    source = bench.kafka().topic(topic).as_source()
    splits = source.discover(bounded=True)
    assert splits[0].end == {"offset": 0}
    reader = bench.reader(source, NUMBERS, event_time="n")
    bench.add_all(reader, splits)
    assert reader.finished()
    open_one.abort_transaction(30)
    reader.close()


def test_caught_up_means_read_to_the_end(bench, topic):
    bench.produce(topic, _number(1))
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, NUMBERS, event_time="n")
    splits = source.discover(bounded=False)
    bench.add_all(reader, splits)
    ids = [s.id for s in splits]
    assert not reader.caught_up(ids[0])
    frame, _ = bench.drain(reader, lambda: all(map(reader.caught_up, ids)))
    assert frame["n"].to_list() == [1]
    assert not reader.finished()
    assert reader.lag() == {ids[0]: 0, ids[1]: 0}
    bench.produce(topic, _number(2))
    until = time.monotonic() + 10
    while (chunk := reader.poll(2000)) is None:
        assert time.monotonic() < until
    frame = chunk.frame
    assert frame["n"].to_list() == [2]
    reader.close()


def test_saved_offset_that_is_gone_stops_the_read(bench, topic):
    bench.produce(topic, *[_number(n) for n in range(10)])
    source = bench.kafka().topic(topic).as_source()
    split, _ = source.discover(bounded=False)
    admin = AdminClient({"bootstrap.servers": bench.broker.bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, 7)]).values():
        future.result(10)
    reader = bench.reader(source, NUMBERS, event_time="n")
    reader.add(type(split)(split.id, {**split.start, "offset": 3}))
    with pytest.raises(RaystreamError) as caught:
        bench.drain(reader, lambda: False)
    assert f"topic {topic}, partition 0: saved offset 3 is not in the topic any more" in str(
        caught.value
    )
    reader.close()


def test_a_topic_made_anew_stops_the_read(bench, kafka, topic):
    bench.produce(topic, _number(1))
    source = bench.kafka().topic(topic).as_source()
    split, _ = source.discover(bounded=False)
    kafka.delete_topic(topic)
    _again(kafka, topic)
    bench.produce(topic, _number(2), _number(3))
    reader = bench.reader(source, NUMBERS, event_time="n")
    reader.add(type(split)(split.id, {**split.start, "offset": 1}))
    with pytest.raises(RaystreamError, match="was deleted and made again since the last"):
        bench.drain(reader, lambda: False)
    reader.close()


def test_a_topic_made_anew_while_it_is_read_stops_the_read(bench, kafka, topic):
    bench.produce(topic, _number(1))
    source = bench.kafka().topic(topic).as_source()
    split, _ = source.discover(bounded=False)
    reader = bench.reader(source, NUMBERS, event_time="n")
    reader.add(split)
    bench.drain(reader, lambda: reader.caught_up(split.id))
    kafka.delete_topic(topic)
    _again(kafka, topic)
    with pytest.raises(RaystreamError, match="deleted"):
        bench.drain(reader, lambda: reader.committed({split.id: split.start}))
    reader.close()


def _again(kafka, topic):
    deadline = time.monotonic() + 10
    while True:
        try:
            kafka.create_topic(topic, 2)
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


def test_new_partitions_are_found_once_and_read_from_their_start(bench, topic):
    source = bench.kafka().topic(topic).as_source()
    known = frozenset(s.id for s in source.discover(bounded=False))
    assert source.discover_new(known) == []
    admin = AdminClient({"bootstrap.servers": bench.broker.bootstrap})
    for future in admin.create_partitions([NewPartitions(topic, 3)]).values():
        future.result(10)
    deadline = time.monotonic() + 10
    while not (new := source.discover_new(known)):
        assert time.monotonic() < deadline
    assert [(s.id, s.start["offset"]) for s in new] == [(f"{topic}/2", 0)]
    bench.produce(topic, _number(7, 2))
    reader = bench.reader(source, NUMBERS, event_time="n")
    reader.add(new[0])
    frame, _ = bench.drain(reader, lambda: reader.caught_up(f"{topic}/2"))
    assert frame["n"].to_list() == [7]
    assert source.max_parallelism() == 3
    reader.close()


def test_metadata_key_and_record_time_are_columns_on_demand(bench, topic):
    record = _number(1, 1, key=b"k", timestamp=1_700_000_000_000, headers=[("h", b"v")])
    bench.produce(topic, record, _number(2, 1, timestamp=1_700_000_000_001))
    names = ["key", "timestamp", "headers", "topic", "partition", "offset"]
    source = bench.kafka().topic(topic, metadata=names).as_source()
    schema = source.learn()
    assert schema is not None
    assert schema.names() == ["n", "other", *names]
    wanted = Schema({name: schema.columns[name] for name in ["n", *names]})
    reader = bench.reader(source, wanted, message_key=True)
    bench.add_all(reader, source.discover(bounded=True))
    frame, _ = bench.drain(reader, reader.finished)
    assert frame.rows(named=True) == [
        {
            "n": 1,
            "key": b"k",
            "timestamp": 1_700_000_000_000,
            "headers": [{"name": "h", "value": b"v"}],
            "topic": topic,
            "partition": 1,
            "offset": 0,
            TIME: 1_700_000_000_000,
            MESSAGE_KEY: b"k",
        },
        {
            "n": 2,
            "key": None,
            "timestamp": 1_700_000_000_001,
            "headers": [],
            "topic": topic,
            "partition": 1,
            "offset": 1,
            TIME: 1_700_000_000_001,
            MESSAGE_KEY: None,
        },
    ]
    reader.close()


def test_metadata_alone_needs_no_field_of_the_payload(bench, topic):
    bench.produce(topic, _number(1), _number(2))
    source = bench.kafka().topic(topic, metadata=["offset"]).as_source()
    reader = bench.reader(source, source.metadata_columns())
    bench.add_all(reader, source.discover(bounded=True))
    frame, _ = bench.drain(reader, reader.finished)
    assert frame["offset"].to_list() == [0, 1]
    reader.close()


def test_rejected_records_tell_where_they_were_and_rows_keep_their_runs(bench, topic):
    good = [_number(n, p) for p in (0, 1) for n in range(3)]
    bad = {"value": b"{broken", "partition": 0, "key": b"k", "timestamp": 1_700_000_000_000}
    bench.produce(topic, bad, *good[:3], bad, *good[3:], {**bad, "value": None, "partition": 1})
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, NUMBERS)
    bench.add_all(reader, source.discover(bounded=True))
    frame, chunks = bench.drain(reader, reader.finished)
    assert sorted(frame["n"].to_list()) == [0, 0, 1, 1, 2, 2]
    assert all(chunk.frame.height == chunk.runs[-1].last for chunk in chunks)
    rejected = sorted((r for c in chunks for r in c.rejected), key=lambda r: r.origin)
    assert [r.headers for r in rejected] == [
        {"topic": topic, "partition": "0", "offset": "0"},
        {"topic": topic, "partition": "0", "offset": "4"},
        {"topic": topic, "partition": "1", "offset": "3"},
    ]
    first = rejected[0]
    assert first.origin == f"topic {topic}, partition 0, offset 0"
    assert (first.key, first.value, first.timestamp) == (b"k", b"{broken", 1_700_000_000_000)
    assert "not JSON" in first.reason
    assert rejected[2].value is None
    assert {s: p["offset"] for s, p in bench.positions(chunks).items()} == {
        f"{topic}/0": 5,
        f"{topic}/1": 4,
    }
    reader.close()


def test_starting_offsets(bench, topic):
    for n in range(3):
        bench.produce(topic, _number(n, timestamp=1_700_000_000_000 + n * 1000))
    kafka = bench.kafka()

    def starts(**options):
        found = kafka.topic(topic, **options).as_source().discover(bounded=False)
        return [s.start["offset"] for s in found]

    assert starts() == [0, 0]
    assert starts(starting_offsets="latest") == [3, 0]
    assert starts(starting_offsets={"timestamp": 1_700_000_000_500}) == [1, 0]
    assert starts(starting_offsets={"timestamp": 1_800_000_000_000}) == [3, 0]


def test_committed_positions_are_published_and_can_be_started_from(bench, topic):
    bench.produce(topic, _number(1), _number(2))
    source = bench.kafka().topic(topic, group_id=bench.job).as_source()
    reader = bench.reader(source, NUMBERS, event_time="n")
    splits = source.discover(bounded=False)
    bench.add_all(reader, splits)
    _, chunks = bench.drain(reader, lambda: reader.caught_up(splits[0].id))
    reader.committed({splits[1].id: splits[1].start, **bench.positions(chunks)})
    reader.close()
    again = bench.kafka().topic(topic, group_id=bench.job, starting_offsets="committed")
    assert [s.start["offset"] for s in again.as_source().discover(bounded=False)] == [2, 0]


def test_a_list_of_topics_is_one_source(bench, kafka, topic):
    second = kafka.create_topic(topic + "-b", 1)
    bench.produce(topic, _number(1, 0), _number(2, 1))
    bench.produce(second, _number(3))
    source = bench.kafka().topic([topic, second]).as_source()
    assert source.max_parallelism() == 3
    reader = bench.reader(source, NUMBERS, event_time="n")
    bench.add_all(reader, source.discover(bounded=True))
    frame, chunks = bench.drain(reader, reader.finished)
    assert sorted(frame["n"].to_list()) == [1, 2, 3]
    assert len(bench.positions(chunks)) == 3
    reader.close()


def test_a_missing_topic_names_the_nearest(bench, topic):
    with pytest.raises(ConfigurationError) as caught:
        bench.kafka().topic(topic + "s").as_source().discover(bounded=True)
    assert f"there is no topic '{topic}s'; did you mean '{topic}'" in str(caught.value)


def test_an_empty_topic_teaches_nothing_yet(bench, topic):
    assert bench.kafka().topic(topic).as_source().learn() is None


def test_no_broker_is_an_error_that_says_so(bench, monkeypatch):
    from raystream.connectors.kafka import confluent
    from raystream.connectors.kafka.connection import Kafka

    monkeypatch.setattr(confluent, "NETWORK_S", 1.0)
    with pytest.raises(RaystreamError, match="kafka topic a cannot be reached"):
        Kafka("localhost:1").topic("a").as_source().discover(bounded=True)
