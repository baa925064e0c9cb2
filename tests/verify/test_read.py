"""Reading for the proof sees committed final rows only, and an open transaction is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import Producer

from raystream.errors import RaystreamError
from raystream.verify.read import json_rows, read_json_files, read_json_topic, read_topic
from tests.support.broker import Broker
from tests.support.topics import produce_values


def transaction(kafka: Broker, topic: str, name: str, value: bytes) -> Producer:
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value, partition=0)
    producer.flush(30)
    return producer


def test_every_record_of_every_partition_in_order(kafka: Broker, topic_name: str) -> None:
    kafka.create_topic(topic_name, 3)
    values = [str(number).encode() for number in range(100)]
    assert produce_values(kafka.bootstrap, topic_name, values, partitions=2) == 100
    records = read_topic(kafka.bootstrap, topic_name)
    assert [r.value for r in records] == values[::2] + values[1::2]
    assert [r.offset for r in records if r.partition == 1] == list(range(50))


def test_an_empty_topic_has_no_rows(kafka: Broker, topic_name: str) -> None:
    kafka.create_topic(topic_name)
    assert read_json_topic(kafka.bootstrap, topic_name) == []


def test_aborted_rows_are_not_seen(kafka: Broker, topic_name: str) -> None:
    kafka.create_topic(topic_name)
    transaction(kafka, topic_name, f"{topic_name}-a", b'{"n": 1}').abort_transaction(30)
    transaction(kafka, topic_name, f"{topic_name}-b", b'{"n": 2}').commit_transaction(30)
    assert read_json_topic(kafka.bootstrap, topic_name) == [{"n": 2}]


def test_a_hanging_transaction_is_a_failure(kafka: Broker, topic_name: str) -> None:
    kafka.create_topic(topic_name)
    producer = transaction(kafka, topic_name, topic_name, b'{"n": 1}')
    with pytest.raises(RaystreamError) as caught:
        read_topic(kafka.bootstrap, topic_name, timeout=0.3)
    assert f"a transaction hangs: {topic_name}/0 from offset 0 (producer " in str(caught.value)
    assert f": {topic_name}, Ongoing) still not stable after 0.3 s; start its" in str(caught.value)
    producer.commit_transaction(30)
    assert read_json_topic(kafka.bootstrap, topic_name) == [{"n": 1}]


def test_a_diagnosis_that_fails_hides_nothing(
    kafka: Broker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("raystream.connectors.kafka.inspection.holders", fail)
    kafka.create_topic(topic_name)
    producer = transaction(kafka, topic_name, topic_name, b"{}")
    with pytest.raises(RaystreamError, match="a transaction hangs: .*/0 from offset 0 still not"):
        read_topic(kafka.bootstrap, topic_name, timeout=0.3)
    producer.abort_transaction(30)


def test_a_topic_that_does_not_exist_is_named(kafka: Broker) -> None:
    with pytest.raises(RaystreamError, match="topic nowhere-to-be-seen"):
        read_topic(kafka.bootstrap, "nowhere-to-be-seen", timeout=5)


def test_early_rows_are_left_out() -> None:
    assert json_rows([b'{"n": 1, "final": false}', b'{"n": 2, "final": true}', None]) == [
        {"n": 2, "final": True}
    ]


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "part-1.jsonl").write_text('{"n": 1}\n')
    (tmp_path / ".part-2.jsonl.pending").write_text('{"n": 2}\n{"n"')
    assert read_json_files(tmp_path) == [{"n": 1}]
