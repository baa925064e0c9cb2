"""The whole way on a broker with SASL_SSL, SCRAM and access rules, with the least rights."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import polars as pl
import pytest

from raystream.data.schema import Schema
from raystream.errors import RaystreamError
from tests.support.broker import Broker


@pytest.fixture(scope="module")
def secured() -> Iterator[Broker]:
    with Broker.start(secure=True) as broker:
        yield broker


def _options(broker: Broker, tmp_path) -> dict[str, str]:
    """Options of rs.Kafka for the user `job`, its password as a file."""
    given = broker.security
    password = tmp_path / "password"
    password.write_text(given["sasl.password"] + "\n")
    return {
        "security_protocol": given["security.protocol"],
        "sasl_mechanism": given["sasl.mechanism"],
        "sasl_username": given["sasl.username"],
        "sasl_password": f"file:{password}",
        "ssl_ca_location": given["ssl.ca.location"],
    }


def test_read_write_commit_and_clean_up_with_the_least_rights(
    secured, bench, topic_name, tmp_path, caplog
):
    caplog.set_level(logging.DEBUG)
    bench.broker, bench.security = secured, _options(secured, tmp_path)
    name = secured.create_topic(topic_name, 1)
    secured.allow(read=[name], write=[name], prefix=bench.job)
    topic = bench.kafka().topic(name)
    sink, source = topic.as_sink(), topic.as_source()
    assert sink.check(bench.job, bench.STORE, "write") == []
    writer, committer = bench.writer(sink), bench.committer(sink)
    writer.write(bench.rows(("a", 1)))
    committable = bench.pre_commit(writer)
    assert committer.check([committable]) == []
    assert bench.committed(committer.commit([committable]))
    writer.committed(1)
    writer.write(bench.rows(("b", 2)))
    bench.pre_commit(writer, 2)
    assert committer.abort_strays(2) == 0
    committer.close()
    writer.close()

    schema = Schema({"ip": pl.String(), "n": pl.Int64()})
    reader = bench.reader(source, schema, event_time="n")
    bench.add_all(reader, source.discover(bounded=True))
    frame, _ = bench.drain(reader, reader.finished)
    assert frame.rows() == [("a", 1)]
    reader.close()
    assert secured.security["sasl.password"] not in caplog.text


def test_a_wrong_password_shows_at_the_start_and_is_not_shown(secured, bench, topic_name, tmp_path):
    wrong = {**_options(secured, tmp_path), "sasl_password": "canary-5c1d"}
    bench.broker, bench.security = secured, wrong
    topic = bench.kafka().topic(topic_name)
    sink = topic.as_sink()
    for start in (
        lambda: topic.as_source().discover(bounded=True),
        lambda: sink.check(bench.job, bench.STORE, "write"),
        lambda: bench.committer(sink),
    ):
        with pytest.raises(RaystreamError) as caught:
            start()
        assert "cannot be reached" in str(caught.value)
        assert "uthentication" in str(caught.value)
        assert "canary-5c1d" not in str(caught.value)


def test_no_right_to_read_is_an_error_not_silence(secured, bench, topic_name, tmp_path):
    bench.broker, bench.security = secured, _options(secured, tmp_path)
    name = secured.create_topic(topic_name, 1)
    secured.allow(write=[name], prefix=bench.job)
    source = bench.kafka().topic(name).as_source()
    reader = bench.reader(source, Schema({"n": pl.Int64()}), event_time="n")
    bench.add_all(reader, source.discover(bounded=False))
    with pytest.raises(RaystreamError, match="refuse"):
        bench.drain(reader, lambda: False, seconds=20)
    reader.close()


def test_no_right_to_write_fails_the_pre_commit(secured, bench, topic_name, tmp_path):
    bench.broker, bench.security = secured, _options(secured, tmp_path)
    name = secured.create_topic(topic_name, 1)
    secured.allow(read=[name], prefix=bench.job)
    writer = bench.writer(bench.kafka().topic(name))
    writer.write(bench.rows(("a", 1)))
    with pytest.raises(RaystreamError, match="Topic authorization failed"):
        bench.pre_commit(writer)
    writer.close()
