"""A topic is read as a source and written as a sink: values without a connection."""

from __future__ import annotations

import pickle
import socket

import pytest

import raystream as rs
from raystream.connectors.base import Sink, Source
from raystream.connectors.kafka.connection import Kafka
from raystream.connectors.kafka.topic import OPTIONS
from raystream.errors import ConfigurationError


def test_a_topic_is_read_and_written_and_touches_no_network(monkeypatch):
    def no_network(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_network)
    topic = Kafka("nowhere:9092").topic("requests", format="json")
    source, sink = topic.as_source(), topic.as_sink()
    assert isinstance(source, Source)
    assert isinstance(sink, Sink)
    assert not isinstance(source, Sink)
    assert not isinstance(sink, Source)
    assert topic.describe() == source.describe() == sink.describe() == "kafka topic requests"
    assert pickle.loads(pickle.dumps((source, sink))) == (source, sink)


OF_READS = {
    "starting_offsets": "earliest",
    "group_id": "g",
    "metadata": ["key"],
    "discovery_interval": "60s",
    "key_format": "json",
}
OF_WRITES = {
    "key": "k",
    "timestamp": "ts",
    "headers": ["h"],
    "delivery_guarantee": "exactly_once",
    "transaction_timeout": "1m",
    "transactional_id_prefix": "team-",
}


@pytest.mark.parametrize("option", [*OF_READS, *OF_WRITES])
def test_an_option_of_the_other_direction_is_refused_at_the_users_line(option: str) -> None:
    topic = Kafka("nowhere:9092").topic("t", **{option: {**OF_READS, **OF_WRITES}[option]})
    rows = rs.Pipeline("p").read(rs.Rows([{"k": 1}]))
    uses = {"write": rows.write, "read": rs.Pipeline("p").read}
    mine, theirs = ("write", "read") if option in OF_READS else ("read", "write")
    with pytest.raises(ConfigurationError) as caught:
        uses[mine](topic)
    assert f"{option} is an option of a {theirs}, this is a {mine}" in str(caught.value)
    assert "test_connection.py:" in str(caught.value)


def test_options_that_files_are_read_with_are_refused_in_a_write(tmp_path) -> None:
    rows = rs.Pipeline("p").read(rs.Rows([{"k": 1}]))
    with pytest.raises(ConfigurationError, match="tail is an option of a read, this is a write"):
        rows.write(rs.Files(tmp_path, tail=True))
    with pytest.raises(ConfigurationError, match="discovery_interval is an option of a read"):
        rows.write(rs.Files(tmp_path, discovery_interval="1s"))


def test_every_option_belongs_to_one_direction() -> None:
    assert {"format", *OF_READS, *OF_WRITES} == set(OPTIONS)


def test_several_topics_are_described(monkeypatch):
    assert Kafka("a:1").topic(["a", "b"]).describe() == "kafka topics a, b"
    with pytest.raises(ConfigurationError, match="no topic is named"):
        Kafka("a:1").topic([])
    with pytest.raises(ConfigurationError, match="bootstrap_servers is missing"):
        Kafka()


def test_a_sink_is_checked_at_start(bench, topic):
    kafka = bench.kafka()
    with pytest.raises(ConfigurationError, match="a sink writes to one topic, not to 2"):
        rs.Pipeline("p").read(rs.Rows([{"k": 1}])).write(kafka.topic([topic, "b"]))
    with pytest.raises(ConfigurationError, match=f"there is no topic '{topic}x'; did you mean"):
        kafka.topic(topic + "x").as_sink().check("job", bench.STORE, "write")
    loose = kafka.topic(topic, delivery_guarantee="none").as_sink()
    assert loose.check("job", bench.STORE, "write") == []


def test_a_prefix_stands_in_front_of_transactional_ids(bench, topic):
    from raystream.connectors.kafka.handle import Handle

    sink = bench.kafka().topic(topic, transactional_id_prefix="team-").as_sink()
    writer, committer = bench.writer(sink), bench.committer(sink)
    writer.write(bench.rows(("a", 1)))
    committable = bench.pre_commit(writer)
    tid = Handle.from_text(committable.handle).identity.tid
    assert tid == f"team-{bench.job}.{bench.STORE}.1.write.0.0"
    writer.close()
    assert committer.abort_strays(2) == 0
    assert committer.check([committable])[0].reason.endswith("not Ongoing")
    committer.close()


def test_a_final_checkpoint_builds_no_further_standby(bench, topic):
    sink = bench.kafka().topic(topic).as_sink()
    writer = bench.writer(sink)
    writer.write(bench.rows(("a", 1)))
    assert bench.wait(writer.prepare(1, final=True)) is not None
    writer.committed(1)
    assert "re-init" not in bench.points
    writer.close()


def test_closing_a_writer_whose_broker_never_answered_is_quick(bench):
    import time

    sink = Kafka("localhost:1").topic("t", transaction_timeout="60s").as_sink()
    writer = bench.writer(sink)
    assert not writer.has_room()
    started = time.monotonic()
    writer.close()
    assert time.monotonic() - started < 1
