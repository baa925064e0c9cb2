"""The native reader on a borrowed consumer: what it refuses, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator

import confluent_kafka as ck
import pytest

from raystream.native import module

CLIENT = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0}
LIBRARY = ck.cimpl.__file__
FIELDS = [("n", "i64", False, [])]


@pytest.fixture
def consumer() -> Iterator[ck.Consumer]:
    made = ck.Consumer({**CLIENT, "client.id": "raystream"})
    yield made
    made.close()


def _reader(consumer, library=LIBRARY, name="raystream"):
    return module().Reader(consumer, library, name, FIELDS, [])


@pytest.mark.parametrize(
    "wrong",
    [
        1234567890123456789,
        "x" * 100,
        b"\xff" * 64,
        [1, 2],
        object,
        object(),
        1.5,
        ck.TopicPartition("a", 1),
        ck.Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_consumer_of_that_name_is_refused_without_a_crash(wrong):
    with pytest.raises(RuntimeError, match="cannot be read|no client|is closed"):
        _reader(wrong)


def test_another_client_a_closed_one_and_another_library_are_refused(consumer):
    with pytest.raises(RuntimeError, match="there is no client of the name other#consumer-"):
        _reader(consumer, name="other")
    with pytest.raises(RuntimeError, match="/nowhere.so is not loaded"):
        _reader(consumer, library="/nowhere.so")
    closed = ck.Consumer(CLIENT)
    closed.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        _reader(closed)


def test_fields_that_it_does_not_know_are_refused(consumer):
    with pytest.raises(ValueError, match="no native decimal"):
        module().Reader(consumer, LIBRARY, "raystream", [("n", "decimal", False, [])], [])
    with pytest.raises(RuntimeError, match="no native colour"):
        module().Reader(consumer, LIBRARY, "raystream", FIELDS, ["colour"])


def test_after_close_of_either_it_is_closed(consumer):
    reader = _reader(consumer)
    reader.add("t", 0)
    assert reader.poll(10) is None
    reader.close()
    reader.close()
    with pytest.raises(RuntimeError, match="the reader is closed"):
        reader.poll(10)
    other = ck.Consumer(CLIENT)
    reader = _reader(other, name="rdkafka")
    reader.add("t", 0)
    other.close()  # against the rule: first
    with pytest.raises(RuntimeError, match="the reader is closed"):
        reader.poll(10)
    del reader, other


def test_errors_and_logs_of_the_client_do_not_end_the_process(consumer):
    heard: list[ck.KafkaError] = []
    talking = ck.Consumer({**CLIENT, "error_cb": heard.append})
    reader = _reader(talking, name="rdkafka")
    reader.add("t", 0)
    talking.incremental_assign([ck.TopicPartition("t", 0, 0)])
    deadline = time.monotonic() + 10
    while not heard:
        assert reader.poll(100) is None
        talking.consume(100, 0)
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reader.close()
    talking.close()
