"""Samples of a topic: read as it is, without a trace on the broker or on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

import raystream as rs
from tests.support.broker import Broker
from tests.support.topics import produce_values

T = 1_700_000_040_000
ROWS = [{"ts": T + n * 1000, "ip": "ab"[n % 2]} for n in range(100)]


class Topics:
    """An input and an output topic, and what can be seen of them from outside."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.broker = broker
        self.read = broker.create_topic(name, 2)
        self.written = broker.create_topic(f"{name}-out", 1)
        produce_values(broker.bootstrap, self.read, map(json.dumps, ROWS), partitions=2)
        self._admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})

    def groups(self) -> set[str]:
        found = self._admin.list_consumer_groups(request_timeout=20).result()
        return {group.group_id for group in found.valid}

    def end(self, topic: str) -> int:
        settings = {"bootstrap.servers": self.broker.bootstrap, "group.id": "x", "log_level": 0}
        consumer = Consumer(settings)
        high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)[1]
        consumer.close()
        return int(high)


@pytest.fixture
def topics(
    kafka: Broker, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Topics:
    monkeypatch.delenv("RAYSTREAM_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", str(tmp_path / "checkpoints"))
    return Topics(kafka, topic_name)


def pipeline(topics: Topics, job: str, **options: Any) -> rs.Pipeline:
    p = rs.Pipeline(job)
    kafka = rs.Kafka(topics.broker.bootstrap)
    counts = (
        p.read(kafka.topic(topics.read, **options), event_time="ts", name="requests")
        .key_by("ip")
        .window(rs.tumbling("1m"))
        .agg(n=rs.count())
    )
    counts.write(kafka.topic(topics.written))
    return p


def test_a_sample_leaves_no_trace(
    topics: Topics, job_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = topics.groups()
    p = pipeline(topics, job_name, group_id=f"{job_name}-group")
    assert p.collect()["n"].sum() == len(ROWS)
    p.show()
    assert topics.end(topics.written) == 0  # not even the mark of a transaction
    assert topics.groups() <= before
    assert not (tmp_path / "checkpoints").exists()
    said = capsys.readouterr().out
    assert f"{topics.written}: 4 rows" in said
    assert "its last windows may be partial" in said


def test_a_job_that_would_begin_with_the_latest_is_sampled_from_the_first_record(
    topics: Topics, job_name: str
) -> None:
    assert pipeline(topics, job_name, starting_offsets="latest").collect()["n"].sum() == 100
    after = {"timestamp": 4_000_000_000_000}
    assert pipeline(topics, job_name, starting_offsets=after).collect().is_empty()


def test_a_sample_goes_on_from_where_a_group_is_and_leaves_it_there(
    topics: Topics, job_name: str
) -> None:
    group = {"bootstrap.servers": topics.broker.bootstrap, "group.id": job_name, "log_level": 0}
    consumer = Consumer(group)
    places = [TopicPartition(topics.read, 0, 40), TopicPartition(topics.read, 1, 50)]
    consumer.commit(offsets=places, asynchronous=False)
    p = pipeline(topics, job_name, starting_offsets="committed", group_id=job_name)
    assert p.collect()["n"].sum() == 10
    offsets = [place.offset for place in consumer.committed(places, timeout=20)]
    consumer.close()
    assert offsets == [40, 50]


def test_a_transaction_that_is_open_is_not_waited_for(topics: Topics, job_name: str) -> None:
    producer = Producer(
        {"bootstrap.servers": topics.broker.bootstrap, "transactional.id": f"x-{job_name}"}
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topics.read, json.dumps(ROWS[0]), partition=0)
    producer.flush(20)
    assert pipeline(topics, job_name).collect()["n"].sum() == len(ROWS)
    producer.abort_transaction(20)
