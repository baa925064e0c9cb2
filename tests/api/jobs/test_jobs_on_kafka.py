"""What a user meets on a real broker: odd records, keys, columns nobody declared, runs in a row."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

import raystream as rs
from raystream.errors import ConfigurationError, JobFailed
from tests.support.broker import Broker

T = 1_700_000_040_000
"""Begin of a minute."""


class Place:
    """Topics of one test, and pipelines that run in this process."""

    def __init__(self, broker: Broker, directory: Path) -> None:
        self._broker = broker
        self._directory = directory
        self.kafka = rs.Kafka(broker.bootstrap)

    def topic(self, *records: Any, partitions: int = 1) -> str:
        name = self._broker.create_topic(f"user-{uuid.uuid4().hex[:10]}", partitions)
        self.put(name, *records)
        return name

    def put(self, topic: str, *records: Any) -> None:
        """Dicts are JSON; (key, value) gives the key too, the value may be bytes or None."""
        producer = Producer({"bootstrap.servers": self._broker.bootstrap})
        for record in records:
            key, value = record if isinstance(record, tuple) else (None, record)
            payload = json.dumps(value) if isinstance(value, dict) else value
            producer.produce(topic, payload, key, timestamp=T)
        assert producer.flush(20) == 0

    def pipeline(self, **options: Any) -> rs.Pipeline:
        name = f"user-{uuid.uuid4().hex[:10]}"
        storage = str(self._directory)
        return rs.Pipeline(name, checkpoint_interval="500ms", checkpoint_storage=storage, **options)

    def messages(self, topic: str) -> list[Message]:
        consumer = Consumer(
            {
                "bootstrap.servers": self._broker.bootstrap,
                "group.id": "test-reader",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Message] = []
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for message in consumer.consume(500, 0.1):
                if message.error() is not None:
                    consumer.close()
                    return found
                found.append(message)
        raise AssertionError(topic)

    def rows(self, topic: str) -> list[tuple[bytes | None, Any]]:
        return [(m.key(), json.loads(m.value() or b"null")) for m in self.messages(topic)]


@pytest.fixture
def place(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv("RAYSTREAM_BOOTSTRAP_SERVERS", raising=False)
    return Place(kafka, tmp_path)


def finish(p: rs.Pipeline, **options: Any) -> rs.Outcome:
    return p.run(until="latest", local=True, **options)


ODD: dict[bytes, tuple[bytes | None, str]] = {
    b"text": (b"not json", "not JSON"),
    b"type": (b'{"ts": "x", "ip": "a"}', "Expected `int`, got `str` - at `ts`"),
    b"no-time": (b'{"ip": "a"}', "missing required field `ts`"),
    b"null-time": (b'{"ts": null, "ip": "a"}', "Expected `int`, got `null` - at `ts`"),
    b"no-value": (None, "record without a value"),
    b"array": (b"[]", "Expected `object`, got `array`"),
    b"huge": (b'{"ts": 99999999999999999999, "ip": "a"}', "is not Int64"),
}
FAR = b'{"ts": 99999999999999, "ip": "a", "more": 1}'
GOOD = [{"ts": T + n, "ip": "ab"[n % 2]} for n in range(4)]


def _per_minute(place: Place, source: rs.Stream) -> str:
    out = place.topic()
    counts = source.key_by("ip").window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(place.kafka.topic(out))
    return out


def test_odd_records_become_dead_letters_that_tell_where_they_were_and_why(place: Place) -> None:
    odd = [(key, value) for key, (value, _) in ODD.items()]
    topic, dead = place.topic(*GOOD, *odd, (b"far", FAR)), place.topic()
    p = place.pipeline()
    source = p.read(place.kafka.topic(topic), event_time="ts", errors="dlq")
    out = _per_minute(place, source)
    source.errors.write(place.kafka.topic(dead))
    outcome = finish(p)
    assert {key: row["n"] for key, row in place.rows(out)} == {b"a": 2, b"b": 2}
    letters = {m.key(): m for m in place.messages(dead)}
    assert letters.keys() == ODD.keys() | {b"far"}
    for number, (key, (value, reason)) in enumerate(ODD.items()):
        headers = dict(letters[key].headers())
        assert letters[key].value() == value
        assert reason.encode() in headers["raystream.reason"]
        assert headers["raystream.topic"] == topic.encode()
        assert headers["raystream.partition"] == b"0"
        assert headers["raystream.offset"] == str(len(GOOD) + number).encode()
    far = dict(letters[b"far"].headers())
    assert letters[b"far"].value() == FAR
    assert b"max_future" in far["raystream.reason"]
    assert far["raystream.offset"] == str(len(GOOD) + len(ODD)).encode()
    counted = {"dlq_rows": 8, "future_rows": 1, "skipped_rows": 0}
    assert counted.items() <= outcome.counters.items()


def test_odd_records_are_skipped_and_counted(place: Place) -> None:
    topic = place.topic(*GOOD, *[value for value, _ in ODD.values()], FAR)
    p = place.pipeline()
    out = _per_minute(place, p.read(place.kafka.topic(topic), event_time="ts", errors="skip"))
    outcome = finish(p)
    assert {key: row["n"] for key, row in place.rows(out)} == {b"a": 2, b"b": 2}
    counted = {"dlq_rows": 0, "future_rows": 1, "skipped_rows": len(ODD)}
    assert counted.items() <= outcome.counters.items()


def test_a_record_without_event_time_stops_the_job_and_is_named(place: Place) -> None:
    topic = place.topic(*GOOD, {"ip": "a"})
    p = place.pipeline()
    _per_minute(place, p.read(place.kafka.topic(topic), event_time="ts"))
    with pytest.raises(JobFailed, match=rf"topic {topic}, partition 0, offset 4: .*`ts`"):
        finish(p)


def test_columns_that_only_a_function_tells_are_written(place: Place) -> None:
    topic = place.topic((b"k1", {"a": 1}), (None, {"a": 2}), (b"", {"a": 3}))
    mapped, framed, keyed = place.topic(), place.topic(), place.topic()
    p = place.pipeline()
    rows = p.read(place.kafka.topic(topic, metadata=["offset"]))
    rows.map(lambda row: {"b": row["a"] * 10, "at": row["offset"]}).write(place.kafka.topic(mapped))
    rows.map_batches(lambda frame: frame.select("a")).write(place.kafka.topic(framed))
    parity = rows.key_by(lambda row: row["a"] % 2).window(rs.tumbling("1m"))
    parity.agg(n=rs.count()).write(place.kafka.topic(keyed))
    finish(p)
    assert place.rows(mapped) == [
        (b"k1", {"b": 10, "at": 0}),
        (None, {"b": 20, "at": 1}),
        (b"", {"b": 30, "at": 2}),
    ]
    assert place.rows(framed) == [(b"k1", {"a": 1}), (None, {"a": 2}), (b"", {"a": 3})]
    found = {key: (row["key"], row["n"]) for key, row in place.rows(keyed)}
    assert found == {b"0": (0, 1), b"1": (1, 2)}


def test_several_keys_are_a_json_array(place: Place) -> None:
    topic, out = place.topic({"ts": T, "a": 'é"x', "b": 1, "c": None}), place.topic()
    p = place.pipeline()
    rows = p.read(place.kafka.topic(topic), event_time="ts").key_by("a", "b", "c")
    rows.window(rs.tumbling("1m")).agg(n=rs.count()).write(place.kafka.topic(out))
    finish(p)
    ((key, row),) = place.rows(out)
    assert json.loads(key or b"") == ['é"x', 1, None]
    assert row["n"] == 1


def test_rows_of_windows_that_an_earlier_run_wrote_are_late(place: Place) -> None:
    topic, out, late = place.topic(*GOOD), place.topic(), place.topic()
    p = place.pipeline()
    rows = p.read(place.kafka.topic(topic), event_time="ts").key_by("ip")
    counts = rows.window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(place.kafka.topic(out))
    counts.late.write(place.kafka.topic(late))
    assert finish(p).late == 0
    place.put(topic, {"ts": T + 59_999, "ip": "c"}, {"ts": T + 60_000, "ip": "c"})
    assert finish(p).late == 1
    assert [(row["ip"], row["window_start"], row["n"]) for _, row in place.rows(out)[2:]] == [
        ("c", T + 60_000, 1)
    ]
    assert place.rows(late) == [(b"c", {"ts": T + 59_999, "ip": "c"})]
    assert finish(p, from_scratch=True).rows_in == 6
    assert len(place.rows(out)) == 3 + 4


def test_rows_without_columns_are_rows(place: Place) -> None:
    topic, out = place.topic({"n": 1}, {"n": 2}), place.topic()
    p = place.pipeline(delivery_guarantee="at_least_once")
    p.read(place.kafka.topic(topic)).drop("n").write(place.kafka.topic(out))
    finish(p)
    assert place.rows(out) == [(None, {}), (None, {})]


@pytest.mark.parametrize("errors", ["fail", "skip"])
def test_records_that_tell_no_columns_are_not_taken_for_an_empty_topic(
    place: Place, errors: str
) -> None:
    topic, out = place.topic(b"not json"), place.topic()
    p = place.pipeline()
    p.read(place.kafka.topic(topic), errors=errors).write(place.kafka.topic(out))
    message = f"kafka topic {topic}: none of the first 1 records tells which columns there are"
    with pytest.raises(ConfigurationError, match=message):
        finish(p)


@pytest.mark.parametrize(
    "options", [{"producer_config": {"lingr.ms": 5}}, {"consumer_config": {"fetch.min": 1}}]
)
def test_an_unknown_setting_of_the_client_is_told_at_once(
    place: Place, kafka: Broker, options: dict[str, Any]
) -> None:
    topic, out = place.topic({"n": 1}), place.topic()
    wrong = rs.Kafka(kafka.bootstrap, **options)
    p = place.pipeline()
    p.read(wrong.topic(topic), schema={"n": int}).write(wrong.topic(out))
    (option,) = options
    with pytest.raises(ConfigurationError, match=rf"{option}: No such configuration property"):
        finish(p)
