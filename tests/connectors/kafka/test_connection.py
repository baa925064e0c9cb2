"""A KafkaTopic is a source and a sink, a value without a connection, checked at start."""

from __future__ import annotations

import pickle
import socket

import pytest

from raystream.connectors.base import Sink, Source
from raystream.connectors.kafka.connection import Kafka
from raystream.errors import ConfigurationError


def test_a_topic_is_source_and_sink_and_touches_no_network(monkeypatch):
    def no_network(*_):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", no_network)
    topic = Kafka("nowhere:9092").topic("requests", format="json")
    assert isinstance(topic, Source)
    assert isinstance(topic, Sink)
    assert topic.describe() == "kafka topic requests"
    assert pickle.loads(pickle.dumps(topic)) == topic


def test_several_topics_are_described(monkeypatch):
    assert Kafka("a:1").topic(["a", "b"]).describe() == "kafka topics a, b"
    with pytest.raises(ConfigurationError, match="no topic is named"):
        Kafka("a:1").topic([])
    with pytest.raises(ConfigurationError, match="bootstrap_servers is missing"):
        Kafka()


def test_a_sink_is_checked_at_start(bench, topic):
    kafka = bench.kafka()
    with pytest.raises(ConfigurationError, match="a sink writes to one topic, not to 2"):
        kafka.topic([topic, "b"]).check("job", bench.STORE, "write")
    with pytest.raises(ConfigurationError, match=f"there is no topic '{topic}x'; did you mean"):
        kafka.topic(topic + "x").check("job", bench.STORE, "write")
    assert kafka.topic(topic, delivery_guarantee="none").check("job", bench.STORE, "write") == []


def test_a_prefix_stands_in_front_of_transactional_ids(bench, topic):
    from raystream.connectors.kafka.handle import Handle

    sink = bench.kafka().topic(topic, transactional_id_prefix="team-")
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
    sink = bench.kafka().topic(topic)
    writer = bench.writer(sink)
    writer.write(bench.rows(("a", 1)))
    assert bench.wait(writer.prepare(1, final=True)) is not None
    writer.committed(1)
    assert "re-init" not in bench.points
    writer.close()


def test_closing_a_writer_whose_broker_never_answered_is_quick(bench):
    import time

    sink = Kafka("localhost:1").topic("t", transaction_timeout="60s")
    writer = bench.writer(sink)
    assert not writer.has_room()
    started = time.monotonic()
    writer.close()
    assert time.monotonic() - started < 1
