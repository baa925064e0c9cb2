"""A broker dies between pre-commit and commit: every client finds its way back by itself."""

from __future__ import annotations

import threading
import time

import polars as pl

from raystream.connectors.base import Verdict
from raystream.data.schema import Schema
from raystream.testing.broker import Broker


def test_phase_two_reader_and_writer_survive_a_killed_broker(bench, topic_name):
    with Broker.start() as broker:
        bench.broker = broker
        name = broker.create_topic(topic_name, 1)
        sink = bench.kafka().topic(name)
        writer, committer = bench.writer(sink), bench.committer(sink)
        reader = bench.reader(sink, Schema({"n": pl.Int64()}), event_time="n")
        (split,) = sink.discover(bounded=False)
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

        frame, _ = bench.drain(reader, lambda: reader.lag().get(split.id) == 0, seconds=30)
        assert frame["n"].to_list() == [1]
        writer.committed(1)
        writer.write(bench.rows(("b", 2)))
        second = bench.pre_commit(writer, 2)
        assert committer.check([second]) == []
        assert committer.commit([second]) == [Verdict.COMMITTED]
        writer.close()
        reader.close()
        committer.close()
