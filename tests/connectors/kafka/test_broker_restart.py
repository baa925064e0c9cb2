"""A broker dies between pre-commit and commit: every client finds its way back by itself."""

from __future__ import annotations

import threading
import time

import polars as pl
import pytest

from raystream.connectors.base import Verdict
from raystream.connectors.kafka.handle import Handle
from raystream.data.schema import Schema
from tests.e2e.harness import FULL
from tests.support.broker import Broker

PAUSES = [0.02, *([0.002, 0.005, 0.01, 0.015, 0.025, 0.03] if FULL else [])]
"""Seconds from the requests to the kill; about one in five finds a broker that forgets."""


@pytest.fixture(scope="module")
def broker():
    with Broker.start() as started:
        yield started


def test_phase_two_reader_and_writer_survive_a_killed_broker(bench, broker, topic_name):
    bench.broker = broker
    name = broker.create_topic(topic_name, 1)
    sink = bench.kafka().topic(name)
    writer, committer = bench.writer(sink), bench.committer(sink)
    reader = bench.reader(sink, Schema({"n": pl.Int64()}), event_time="n")
    (split,) = sink.as_source().discover(bounded=False)
    reader.add(split)
    bench.drain(reader, lambda: reader.caught_up(split.id))
    writer.write(bench.rows(("a", 1)))
    committable = bench.pre_commit(writer)

    broker.kill()
    assert committer.commit([committable]) == [Verdict.AGAIN]
    assert committer.abort_strays(1) == 1  # nobody to ask: not clean
    restart = threading.Thread(target=broker.restart)
    restart.start()
    deadline = time.monotonic() + 60
    while committer.commit([committable]) != [Verdict.COMMITTED]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    restart.join()

    rows = []
    deadline = time.monotonic() + 60
    while not rows:  # its lag may be that of before
        assert time.monotonic() < deadline
        chunk = reader.poll(2000)
        rows = [] if chunk is None or not chunk.frame.height else chunk.frame["n"].to_list()
    assert rows == [1]
    writer.committed(1)
    writer.write(bench.rows(("b", 2)))
    second = bench.pre_commit(writer, 2)
    assert committer.check([second]) == []
    assert committer.commit([second]) == [Verdict.COMMITTED]
    writer.close()
    reader.close()
    committer.close()


def test_a_broker_that_does_not_answer_is_named_and_its_partitions_are_not_at_their_ends(
    bench, broker, topic_name
):
    bench.broker = broker
    name = broker.create_topic(topic_name, 2)
    sink = bench.kafka().topic(name)
    reader = bench.reader(sink, Schema({"n": pl.Int64()}), event_time="n")
    splits = sink.as_source().discover(bounded=False)
    bench.add_all(reader, splits)

    def at_the_ends():
        return all(reader.caught_up(split.id) for split in splits)

    def waits():
        return len(reader.silent()) == 2

    bench.drain(reader, at_the_ends)
    assert reader.silent() == {}
    broker.freeze()
    try:
        bench.drain(reader, waits)
        assert not any(reader.caught_up(split.id) for split in splits)
        assert reader.lag() == {}
        told = reader.silent().values()
        assert {each.who for each in told} == {f"broker {broker.bootstrap}"}
        assert all(3 <= each.seconds < 15 for each in told)
    finally:
        broker.thaw()
    bench.drain(reader, at_the_ends)
    assert reader.silent() == {}
    assert set(reader.lag().values()) == {0}
    reader.close()


@pytest.mark.parametrize("pause", PAUSES)
def test_a_broker_killed_as_it_answers_shows_what_it_committed(bench, topic_name, pause):
    """Some markers are written, some are under way, some are forgotten (KAFKA-20734)."""
    with Broker.start() as broker:
        bench.broker = broker
        name = broker.create_topic(topic_name, 3)
        sink = bench.kafka().topic(name)
        committer, raw = bench.committer(sink), bench.kafka().transactions()
        writers = [bench.writer(sink, attempt=n) for n in range(12)]
        for n, writer in enumerate(writers):
            writer.write(bench.rows(*((f"{n}-{i}", i) for i in range(20))))
        undecided = [bench.pre_commit(writer) for writer in writers]
        identities = [Handle.from_text(one.handle).identity for one in undecided]

        requests = threading.Thread(target=raw.end, args=(identities,), kwargs={"commit": True})
        requests.start()
        time.sleep(pause)
        broker.kill()
        requests.join()
        broker.restart()
        deadline = time.monotonic() + 60
        while undecided:
            assert time.monotonic() < deadline, committer.explain(undecided[0])
            answers = zip(undecided, committer.commit(undecided), strict=True)
            undecided = [one for one, verdict in answers if verdict is not Verdict.COMMITTED]
            time.sleep(0.1)
        assert len(bench.visible(name, 240)) == 240
        for writer in writers:
            writer.close()
        committer.close()
        raw.close()
