"""Reading natively and by Python from one topic: rows, rejects and positions are the same."""

from __future__ import annotations

import time

import polars as pl
import pytest

from raystream.connectors.kafka.reader import CONSUME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.native import SWITCH, why_not

built = pytest.mark.skipif(bool(why_not()), reason="there is no native reader")
SCHEMA = Schema({"n": pl.Int64(), "text": pl.String(), "x": pl.Float64()}, frozenset({"n"}))


def _records(size):
    """Good records, records of all kinds of trouble, tombstones; keys, headers, timestamps."""
    payloads = [
        b'{"n":%d,"text":"text number %d","x":%d.5}',
        b'{"n":%d,"text":null,"more":{"a":%d,"b":[%d]}}',
        b'{"n":%d.0,"text":"%d","x":%d}',
        b'{"n":"%d"}%d %d',
        None,
        b"",
        b'\xef\xbb\xbf{"n":%d,"x":%d%d}',
        b'{"n":%d,"n":%d,"x":-0,"text":"\\u00e9%d"}',
    ]
    for n in range(size):
        form = payloads[0] if n % 3 else payloads[n // 3 % len(payloads)]
        value = form % (n, n, n) if form and b"%d" in form else form
        record = {"value": value, "partition": n % 7 % 2, "timestamp": 1_700_000_000_000 + n}
        if n % 4 == 0:
            record |= {"key": b"k%d" % n, "headers": [("h", b"v%d" % n), ("none", None)]}
        yield record | ({"key": b""} if n % 4 == 1 else {})


def _read(bench, topic, monkeypatch, *, native):
    monkeypatch.setenv(SWITCH, "1" if native else "0")
    names = ("key", "timestamp", "headers", "topic", "partition", "offset")
    source = bench.kafka().topic(topic, metadata=names).as_source()
    columns = {**SCHEMA.columns, **source.metadata_columns().columns}
    schema = Schema(columns, SCHEMA.required)
    reader = bench.reader(source, schema, message_key=True, record=dict(SCHEMA.columns))
    assert reader.native_state() == ("on" if native else f"{SWITCH}=0")
    splits = source.discover(bounded=True)
    bench.add_all(reader, splits)
    rows: dict[int, list] = {0: [], 1: []}
    rejected, unknown, asked, size = [], 0, [], 0
    deadline = time.monotonic() + 20
    while not reader.finished():
        assert time.monotonic() < deadline
        chunk = reader.poll(2_500)  # natively more than librdkafka is asked for at once
        if chunk is None:
            continue
        for run in chunk.runs:
            rows[int(run.split[-1])] += chunk.frame.slice(run.first, run.last - run.first).rows()
        rejected += chunk.rejected
        unknown += chunk.unknown.get("more", 0)
        size += chunk.bytes
        some = range(0, chunk.frame.height, 50)
        told = chunk.reject(some, "because")
        assert [int(r.headers["offset"]) for r in told] == chunk.frame["offset"].gather(
            some
        ).to_list()
        asked += [r for r in told if r.key and int(r.key[1:]) % 100 == 0]
    positions = {s: p.position() for s, p in reader._by_split.items()}
    reader.close()
    rejected.sort(key=lambda r: (r.headers["partition"], int(r.headers["offset"])))
    schema_of = chunk.frame.schema
    return repr((schema_of, rows, rejected, unknown > 0, positions)), rejected


@built
def test_both_paths_read_the_same_to_the_last_byte(bench, topic, monkeypatch):
    bench.produce(topic, *_records(6000))
    aborted = bench.produce(topic, *_records(50), **{"transactional.id": bench.job})
    aborted.abort_transaction(30)
    good = bench.produce(topic, *_records(60), **{"transactional.id": bench.job})
    good.commit_transaction(30)
    python, rejected = _read(bench, topic, monkeypatch, native=False)
    native, _ = _read(bench, topic, monkeypatch, native=True)
    assert native == python
    assert len(rejected) > 500
    assert any(row.record_headers for row in rejected)


@built
def test_a_partition_can_be_paused_and_read_on_again_and_again(bench, topic, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    bench.produce(topic, *({"value": b'{"n":%d}' % n, "partition": n % 2} for n in range(8000)))
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, SCHEMA, event_time="n")
    splits = source.discover(bounded=True)
    bench.add_all(reader, splits)
    read, turn = [], 0
    deadline = time.monotonic() + 30
    while not reader.finished():
        assert time.monotonic() < deadline
        turn += 1
        reader.pause(frozenset([splits[turn % 2].id] if turn % 3 else []))
        for _ in range(turn % 5):
            chunk = reader.poll(300)
            if chunk is None:
                time.sleep(0.01)
            else:
                read += chunk.frame["n"].to_list()
    for parity in (0, 1):
        assert [n for n in read if n % 2 == parity] == list(range(parity, 8000, 2))
    reader.close()


@built
def test_records_of_a_poll_are_there_as_long_as_its_chunk(bench, topic, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    bench.produce(topic, *(b'{"n":%d}' % n for n in range(3000)))
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, SCHEMA, event_time="n")
    bench.add_all(reader, source.discover(bounded=True))
    _, chunks = bench.drain(reader, reader.finished)
    for chunk in chunks:
        if chunk.frame.height:
            n = chunk.frame["n"][0]
            assert chunk.reject([0], "late")[0].value == b'{"n":%d}' % n
    reader.close()
    with pytest.raises(RuntimeError, match="or the reader is closed"):
        next(c for c in chunks if c.frame.height).reject([0], "too late")


@built
def test_a_poll_takes_a_whole_batch_unless_its_records_are_large(bench, topic, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    large = b'{"n":1,"text":"%s"}' % (b"x" * 8_000)
    bench.produce(topic, *[b'{"n":1}'] * 8_000, *[large] * 2_000)
    source = bench.kafka().topic(topic).as_source()
    reader = bench.reader(source, SCHEMA, event_time="n")
    bench.add_all(reader, source.discover(bounded=True))
    sizes, deadline = [], time.monotonic() + 30
    while not reader.finished():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # for records to gather
        if (chunk := reader.poll(20_000)) is not None:
            assert chunk.bytes < (4 << 20) + 500 * len(large)
            sizes.append(chunk.frame.height)
    reader.close()
    assert sum(sizes) == 10_000
    assert max(sizes) > CONSUME


def test_it_can_be_demanded(bench, topic, monkeypatch):
    monkeypatch.setenv(SWITCH, "1")
    monkeypatch.setattr("raystream.native._loaded", lambda: (None, "it is not built"))
    source = bench.kafka().topic(topic).as_source()
    with pytest.raises(ConfigurationError, match="there is no native reader: it is not built"):
        bench.reader(source, SCHEMA, event_time="n")


@built
def test_what_python_reads_alone_says_why(bench, topic, monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    csv = bench.kafka().topic(topic, format="csv").as_source()
    reader = bench.reader(csv, SCHEMA, event_time="n")
    assert reader.native_state() == "only rows of JSON are read natively"
    reader.close()
    money = Schema({"n": pl.Decimal(9, 2)})
    reader = bench.reader(bench.kafka().topic(topic).as_source(), money)
    assert reader.native_state() == "column 'n' is Decimal(precision=9, scale=2)"
    reader.close()
