"""The writer on a real broker: one transaction per checkpoint, checked before it is acked."""

from __future__ import annotations

import json
import time

import polars as pl
import pytest

from raystream.connectors.base import DeadLetters, Rejected, Verdict, WriteOptions
from raystream.connectors.kafka.handle import Handle
from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, RaystreamError
from raystream.formats.rejects import DEAD_LETTER_SCHEMA, dead_letters


def test_rows_are_visible_only_after_phase_two(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer = bench.writer(sink)
    writer.write(bench.rows(("a", 1), ("b", 2)))
    committable = bench.pre_commit(writer)
    assert committable.n_records == 2
    assert set(committable.partitions) <= {f"{topic}/0", f"{topic}/1"}
    assert committable.partitions
    assert bench.visible(topic) == []
    committer = bench.committer(sink)
    assert committer.check([committable]) == []
    assert bench.committed(committer.commit([committable]))
    found = bench.visible(topic, 2)
    assert sorted((m.key(), json.loads(m.value())) for m in found) == [
        (b"a", {"ip": "a", "n": 1}),
        (b"b", {"ip": "b", "n": 2}),
    ]
    writer.committed(1)
    writer.close()
    committer.close()


def test_three_checkpoints_rotate_ids_and_never_repeat_an_identity(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    identities = []
    for checkpoint in range(1, 6):
        writer.write(bench.rows(("a", checkpoint)))
        committable = bench.pre_commit(writer, checkpoint)
        identities.append(Handle.from_text(committable.handle).identity)
        assert bench.committed(committer.commit([committable]))
        writer.committed(checkpoint)
    assert [one.tid.rsplit(".", 1)[1] for one in identities] == ["0", "1", "2", "0", "1"]
    assert len(set(identities)) == 5
    assert [json.loads(m.value())["n"] for m in bench.visible(topic, 5)] == [1, 2, 3, 4, 5]
    assert bench.points.count("re-init") == 5
    assert bench.points[:3] == ["pre-commit flush", "pre-committed", "re-init"]
    writer.close()
    committer.close()


def test_nothing_written_gives_no_committable_and_keeps_the_transaction(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer = bench.writer(sink)
    assert bench.wait(writer.prepare(1, final=False)) is None
    writer.committed(1)
    assert bench.wait(writer.prepare(2, final=False)) is None
    writer.write(bench.rows(("a", 1)))
    identity = Handle.from_text(bench.pre_commit(writer, 3).handle).identity
    assert identity.tid.endswith(".0")
    writer.close()


def test_rows_after_prepare_wait_for_the_next_transaction(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    writer.write(bench.rows(("a", 1)))
    first = writer.prepare(1, final=False)
    writer.write(bench.rows(("a", 2)))
    assert not writer.has_room() or first.done()
    assert bench.committed(committer.commit([bench.wait(first)]))
    writer.committed(1)
    assert bench.values(topic, 1) == [b'{"ip":"a","n":1}']
    second = bench.pre_commit(writer, 2)
    assert second.n_records == 1
    assert bench.committed(committer.commit([second]))
    assert len(bench.values(topic, 2)) == 2
    writer.close()
    committer.close()


def test_a_barrier_right_behind_the_commit_retires_the_right_producer(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    for number in range(1, 6):
        writer.write(bench.rows(("a", number)))
        prepared = writer.prepare(number, final=False)  # the standby is not open yet
        assert bench.committed(committer.commit([bench.wait(prepared)]))
        writer.committed(number)
    assert len(bench.values(topic, 5)) == 5
    writer.close()
    committer.close()


def test_a_second_prepare_before_the_commit_is_refused(bench, topic):
    writer = bench.writer(bench.kafka().topic(topic))
    writer.write(bench.rows(("a", 1)))
    bench.pre_commit(writer)
    writer.write(bench.rows(("a", 2)))
    with pytest.raises(RaystreamError, match="checkpoint 2 begins before the last one"):
        writer.prepare(2, final=False)
    writer.close()


def test_an_undelivered_record_fails_the_pre_commit_though_flush_is_zero(kafka, bench, topic_name):
    """R1: the broker would commit the rest."""
    name = kafka.create_topic(topic_name, 1, {"max.message.bytes": "1000"})
    writer = bench.writer(bench.kafka().topic(name, format="raw"), Schema({"value": pl.Binary()}))
    while not writer.has_room():
        time.sleep(0.01)
    writer.write(pl.DataFrame({"value": [b"small", bytes(range(256)) * 20]}))
    with pytest.raises(RaystreamError, match=r"were not delivered: .*MSG_SIZE_TOO_LARGE"):
        bench.wait(writer.prepare(1, final=False))
    writer.close()


def _fenced_writer(bench, topic):
    """A writer whose delivered record was aborted by the next attempt."""
    sink = bench.kafka().topic(topic).as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    while not writer.has_room():
        time.sleep(0.01)
    writer.write(bench.rows(("a", 1)))
    writer._current._producer.flush(10)
    assert committer.abort_strays(2) == 0
    return writer, committer


def test_a_fenced_transaction_is_found_before_the_manifest(bench, topic):
    """The producer itself does not notice: only step 5 asks the broker."""
    writer, committer = _fenced_writer(bench, topic)
    committable = bench.pre_commit(writer)
    (problem,) = committer.check([committable])
    assert "not Ongoing" in problem.reason
    assert committer.commit([committable]) == [Verdict.LOST]
    assert bench.values(topic) == []
    writer.close()
    committer.close()


def test_a_fenced_writer_fails_at_its_next_record(bench, topic):
    writer, committer = _fenced_writer(bench, topic)
    with pytest.raises(RaystreamError, match=f"fenced.*transaction {bench.job}"):
        _write_until_told(writer, bench)
    writer.close()
    committer.close()


def _write_until_told(writer, bench):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        writer.write(bench.rows(("a", 2)))
        time.sleep(0.05)


def test_a_record_too_large_for_the_client_is_refused_at_once(bench, topic):
    sink = (
        bench.kafka(producer_config={"message.max.bytes": 1000})
        .topic(topic, format="raw")
        .as_sink()
    )
    writer = bench.writer(sink, Schema({"value": pl.Binary()}))
    while not writer.has_room():
        time.sleep(0.01)
    with pytest.raises(RaystreamError, match="a record was refused"):
        writer.write(pl.DataFrame({"value": [b"x" * 5000]}))
    writer.close()


def test_a_full_queue_holds_rows_back_and_loses_none(bench, topic):
    sink = bench.kafka(producer_config={"queue.buffering.max.messages": 100}).topic(topic).as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    while not writer.has_room():
        time.sleep(0.01)
    writer.write(pl.DataFrame({"ip": ["a"] * 1000, "n": range(1000)}))
    assert not writer.has_room()
    committable = bench.pre_commit(writer)
    assert committable.n_records == 1000
    assert bench.committed(committer.commit([committable]))
    found = bench.visible(topic, 1000)
    assert [json.loads(m.value())["n"] for m in found] == list(range(1000))
    writer.close()
    committer.close()


def test_close_keeps_what_is_pre_committed_and_aborts_what_is_not(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    writer.write(bench.rows(("a", 1)))
    committable = bench.pre_commit(writer)
    while not writer.has_room():
        time.sleep(0.01)
    writer.write(bench.rows(("a", 2)))
    writer.close()
    del writer
    assert committer.check([committable]) == []
    assert bench.committed(committer.commit([committable]))
    assert bench.values(topic, 1) == [b'{"ip":"a","n":1}']
    assert committer.abort_strays(2) == 0
    committer.close()


def test_age_counts_from_the_first_record(bench, topic):
    writer = bench.writer(bench.kafka().topic(topic))
    while not writer.has_room():
        time.sleep(0.01)
    assert writer.oldest_transaction_age_s() == 0
    writer.write(bench.rows(("a", 1)))
    time.sleep(0.2)
    assert writer.oldest_transaction_age_s() >= 0.2
    assert bench.pre_commit(writer).age_s >= 0.2
    writer.close()


def _commit(bench, sink, frame, schema, **options):
    writer, committer = bench.writer(sink, schema, **options), bench.committer(sink)
    writer.write(frame)
    assert bench.committed(committer.commit([bench.pre_commit(writer)]))
    writer.close()
    committer.close()


def test_message_key_of_several_columns_is_a_json_array(bench, topic):
    schema = Schema({"a": pl.String(), "b": pl.Int64()}, key=("a", "b"))
    frame = pl.DataFrame({"a": ["x"], "b": [7], TIME: [1]})
    _commit(bench, bench.kafka().topic(topic), frame, schema)
    (message,) = bench.visible(topic, 1)
    assert message.key() == b'["x",7]'
    assert json.loads(message.value()) == {"a": "x", "b": 7}


def test_message_key_passes_through_where_there_are_no_key_columns(bench, topic):
    schema = Schema({"n": pl.Int64()})
    frame = pl.DataFrame({"n": [1, 2], MESSAGE_KEY: [b"k", None]})
    _commit(bench, bench.kafka().topic(topic), frame, schema, message_key=True)
    found = bench.visible(topic, 2)
    assert {m.key() for m in found} == {b"k", None}
    assert {m.value() for m in found} == {b'{"n":1}', b'{"n":2}'}


def test_key_and_timestamp_columns_may_be_named(bench, topic):
    schema = Schema({"user": pl.Int64(), "ts": pl.Int64()}, key=("ts",))
    frame = pl.DataFrame({"user": [42], "ts": [1_700_000_000_123]})
    _commit(bench, bench.kafka().topic(topic, key="user", timestamp="ts"), frame, schema)
    (message,) = bench.visible(topic, 1)
    assert (message.key(), message.timestamp()[1]) == (b"42", 1_700_000_000_123)


def test_record_timestamp_is_now_unless_asked(bench, topic):
    before = time.time() * 1000
    _commit(bench, bench.kafka().topic(topic), bench.rows(("a", 1)), bench.ROWS)
    (message,) = bench.visible(topic, 1)
    assert before - 1000 <= message.timestamp()[1] <= time.time() * 1000 + 1000


def test_an_unknown_key_column_is_refused_when_the_writer_is_made(bench, topic):
    with pytest.raises(ConfigurationError, match="the rows to write have no column 'usr'"):
        bench.writer(bench.kafka().topic(topic, key="usr"))


def test_a_dead_letter_is_the_raw_record_with_origin_and_reason_in_headers(bench, topic):
    record = Rejected(
        f"{topic}/0",
        "topic in, partition 0, offset 17",
        {"topic": "in", "partition": "0", "offset": "17"},
        b"key",
        b"{broken",
        "not JSON",
        1_700_000_000_000,
        (("trace", b"\xff\x00"), ("trace", b"2"), ("empty", None)),
    )
    frame = dead_letters([record])
    assert set(frame.columns) == set(DeadLetters().columns)
    _commit(bench, bench.kafka().topic(topic), frame, DEAD_LETTER_SCHEMA)
    (message,) = bench.visible(topic, 1)
    assert (message.key(), message.value()) == (b"key", b"{broken")
    assert message.timestamp()[1] == 1_700_000_000_000
    assert message.headers() == [
        ("trace", b"\xff\x00"),
        ("trace", b"2"),
        ("empty", None),
        ("raystream.reason", b"not JSON"),
        ("raystream.origin", b"topic in, partition 0, offset 17"),
        ("raystream.topic", b"in"),
        ("raystream.partition", b"0"),
        ("raystream.offset", b"17"),
    ]


def test_at_least_once_is_delivered_when_the_checkpoint_is(bench, topic):
    sink = bench.kafka().topic(topic, delivery_guarantee="at_least_once").as_sink()
    writer = bench.writer(sink)
    writer.write(bench.rows(("a", 1)))
    assert bench.wait(writer.prepare(1, final=False), writer) is None
    assert bench.values(topic, 1) == [b'{"ip":"a","n":1}']
    assert sink.committer(None) is None
    writer.close()


def test_at_least_once_fails_the_checkpoint_of_a_lost_record(kafka, bench, topic_name):
    name = kafka.create_topic(topic_name, 1, {"max.message.bytes": "1000"})
    writer = bench.writer(
        bench.kafka().topic(name, format="raw"),
        Schema({"value": pl.Binary()}),
        guarantee="at_least_once",
    )
    writer.write(pl.DataFrame({"value": [bytes(range(256)) * 20]}))
    with pytest.raises(RaystreamError, match="MSG_SIZE_TOO_LARGE"):
        bench.wait(writer.prepare(1, final=False))


def test_guarantee_none_counts_what_is_not_delivered(kafka, bench, topic_name):
    name = kafka.create_topic(topic_name, 1, {"max.message.bytes": "1000"})
    writer = bench.writer(
        bench.kafka().topic(name, format="raw"), Schema({"value": pl.Binary()}), guarantee="none"
    )
    writer.write(pl.DataFrame({"value": [bytes(range(256)) * 20]}))
    assert bench.wait(writer.prepare(1, final=True)) is None
    writer.poll(0.0)
    assert bench.counts["delivery_errors"] == 1
    writer.close()


def test_columns_become_headers_and_those_that_were_read_pass_through(
    bench, kafka, topic_name, tmp_path, monkeypatch
):
    """Not part of the payload; without a key_by nothing else of the record changes."""
    import raystream as rs

    source, target = (kafka.create_topic(topic_name + end, 1) for end in ("-in", "-out"))
    given = [("trace", b"\x00\xff"), ("trace", b"again"), ("empty", None)]
    bench.produce(
        source,
        {"value": b'{"n":1,"tenant":"a"}', "key": b"k", "headers": given, "partition": 0},
        {"value": b'{"n":2,"tenant":null}', "partition": 0},
    )
    cluster = rs.Kafka(kafka.bootstrap)
    p = rs.Pipeline(bench.job, checkpoint_interval="200ms", checkpoint_storage=str(tmp_path))
    schema = {"n": "int", "tenant": "string"}
    rows = p.read(cluster.topic(source, metadata=["headers"]), schema=schema)
    rows.write(cluster.topic(target, headers=["headers", "tenant", "n"]))
    assert p.run(until="latest", local=True).kind == "finished"
    first, second = bench.visible(target, 2)
    assert first.headers() == [*given, ("tenant", b"a"), ("n", b"1")]
    assert second.headers() == [("tenant", None), ("n", b"2")]
    assert (first.value(), first.key()) == (b"{}", b"k")


def test_a_header_that_is_no_column_is_refused(bench):
    topic = bench.kafka().topic("t", headers=["nobody"]).as_sink()
    with pytest.raises(ConfigurationError, match="headers: the rows to write have no column"):
        topic.check_rows(WriteOptions(bench.ROWS))
    with pytest.raises(ConfigurationError, match="headers takes a list of columns"):
        bench.kafka().topic("t", headers="n")
