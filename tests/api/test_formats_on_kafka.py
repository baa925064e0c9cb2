"""CSV on a real broker, a type learnt too narrow, a column declared later: as a user meets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.errors import ConfigurationError, JobFailed
from raystream.formats.csv import Csv
from tests.api.jobs.test_jobs_on_kafka import Place, T, finish
from tests.runs import running
from tests.support.broker import Broker

LINE = {"ts": "int", "ip": "string", "ms": "float", "note": "string"}
GOOD = [
    f"{T},a,1.5,".encode(),
    f'{T + 1},b,2,"x, ""y"""'.encode(),
    f'{T + 2},a,,""\r\n'.encode(),
    f'{T + 3},b,1e2,"two\nlines"'.encode(),
]
ODD: dict[bytes, tuple[bytes | None, str]] = {
    b"two": (b"1,a,1.5,x\n2,b,2.5,y", "more than one line"),
    b"empty": (b"", "an empty record"),
    b"line-end": (b"\n", "an empty record"),
    b"none": (None, "record without a value"),
    b"short": (b"1,a,1.5", "3 fields instead of 4"),
    b"long": (b"1,a,1.5,x,y", "5 fields instead of 4"),
    b"header": (b"ts,ip,ms,note", "column 'ts': 'ts' is not Int64"),
    b"quote": (b'1,"a,1.5,x', "a quote that is not closed"),
    b"type": (b"1.5,a,1,x", "column 'ts': '1.5' is not Int64"),
    b"huge": (f"{T},a,1e999,x".encode(), "column 'ms': '1e999' is not Float64"),
    b"bytes": (b"1,\xff,1,x", "not UTF-8"),
}


@pytest.fixture
def place(kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv("RAYSTREAM_BOOTSTRAP_SERVERS", raising=False)
    return Place(kafka, tmp_path)


def lines(place: Place, topic: str) -> list[bytes | None]:
    return [message.value() for message in place.messages(topic)]


def test_csv_in_and_out_with_odd_lines_between(place: Place) -> None:
    odd = [(key, value) for key, (value, _) in ODD.items()]
    topic, out = place.topic(*GOOD[:2], *odd, *GOOD[2:]), place.topic()
    p = place.pipeline()
    source = p.read(place.kafka.topic(topic, format="csv"), schema=LINE, errors="skip")
    source.select("note", "ip").write(place.kafka.topic(out, format=Csv(delimiter=";")))
    outcome = finish(p)
    only_in_other_columns = [b"note;ip", b"x;a", b"x;a"]  # header, type, huge
    good = [b";a", b'"x, ""y""";b', b'"";a', b'"two\nlines";b']
    assert lines(place, out) == [*good[:2], *only_in_other_columns, *good[2:]]
    assert outcome.counters["skipped_rows"] == len(ODD) - 3


def test_every_odd_line_is_told_where_its_column_is_needed(place: Place) -> None:
    odd = [(key, value) for key, (value, _) in ODD.items()]
    topic, out, dead = place.topic(*GOOD, *odd), place.topic(), place.topic()
    p = place.pipeline()
    source = p.read(place.kafka.topic(topic, format="csv"), schema=LINE, errors="dlq")
    source.write(place.kafka.topic(out, format="csv"))
    source.errors.write(place.kafka.topic(dead))
    finish(p)
    letters = {
        m.key(): dict(m.headers())["raystream.reason"].decode() for m in place.messages(dead)
    }
    assert letters.keys() == ODD.keys()
    for key, (_, reason) in ODD.items():
        assert reason in letters[key]
    again = place.pipeline()
    collected = rs.Collect()
    again.read(place.kafka.topic(out, format="csv"), schema=LINE).write(collected)
    finish(again)
    assert [tuple(row.values()) for row in collected.rows()] == [
        (T, "a", 1.5, None),
        (T + 1, "b", 2.0, 'x, "y"'),
        (T + 2, "a", None, ""),
        (T + 3, "b", 100.0, "two\nlines"),
    ]


def test_csv_stops_at_an_odd_line_and_names_it(place: Place) -> None:
    topic = place.topic(GOOD[0], b"1,a,1.5,x\n2,b,2.5,y")
    p = place.pipeline()
    source = p.read(place.kafka.topic(topic, format="csv"), schema=LINE)
    source.select("ip").write(place.kafka.topic(place.topic()))
    with pytest.raises(JobFailed) as failed:
        finish(p)
    assert f"topic {topic}, partition 0, offset 1" in str(failed.value)
    assert "more than one line" in str(failed.value)
    unnamed = place.pipeline()
    rows = unnamed.read(place.kafka.topic(topic, format="csv"))
    rows.write(place.kafka.topic(place.topic()))
    with pytest.raises(ConfigurationError, match="do not tell the names of their columns"):
        finish(unnamed)


def test_csv_with_its_own_columns_and_windows_of_a_few(place: Place) -> None:
    topic, out = place.topic(*GOOD[:3]), place.topic()
    p = place.pipeline()
    form = Csv(columns=("ts", "who", "ms", "note"))
    source = p.read(
        place.kafka.topic(topic, format=form),
        schema={"ts": "int", "who": "string"},
        event_time="ts",
    )
    counts = source.key_by("who").window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(place.kafka.topic(out))
    finish(p)
    assert {key: row["n"] for key, row in place.rows(out)} == {b"a": 2, b"b": 1}


def test_the_advice_for_a_type_learnt_too_narrow_helps(place: Place) -> None:
    topic, out = place.topic(*[{"id": n, "price": n} for n in range(1200)]), place.topic()
    job = place.pipeline()

    def same(schema: Any) -> rs.Pipeline:
        p = rs.Pipeline(job.name, checkpoint_storage=str(place._directory))
        p.read(place.kafka.topic(topic), schema=schema, name="in").write(
            place.kafka.topic(out), name="out"
        )
        return p

    assert finish(same(None)).rows_out == 1200
    place.put(topic, {"id": 1200, "price": 10.5})
    with pytest.raises(JobFailed) as failed:
        finish(same(None))
    assert "declare price: float, in schema= of read" in str(failed.value)
    assert "correct the producer" not in str(failed.value)
    assert finish(same({"id": "int", "price": "float"})).rows_out == 1
    values = [row["price"] for _, row in place.rows(out)]
    assert values == [*range(1200), 10.5]


def test_a_field_that_came_later_is_used_once_it_is_declared(place: Place) -> None:
    first = [{"k": "a", "ts": T}, {"k": "a", "ts": T + 1}, {"k": "b", "ts": T + 2}]
    topic, out = place.topic(*first), rs.Collect()
    name = place.pipeline().name

    def job(schema: Any, width: str) -> rs.Pipeline:
        p = rs.Pipeline(name, checkpoint_interval="100ms")
        rows = p.read(place.kafka.topic(topic), schema=schema, event_time="ts", name="in")
        if width == "more":
            rows = rows.filter("coalesce(age, 1) > 0", name="grown")
        counts = rows.key_by("k", name="key").window(rs.tumbling("1m")).agg(n=rs.count())
        counts.write(out, name="out")
        return p

    with running(job(None, ""), place._directory) as run:
        run.until(lambda: run.status is not None and run.status.rows_read == 3)
        run.stop()
    place.put(topic, {"k": "a", "ts": T + 3, "age": 7}, {"k": "a", "ts": T + 4, "age": -1})
    more = job({"k": "string", "ts": "int", "age": "int"}, "more")
    outcome = finish(more, checkpoint_storage=str(place._directory))
    assert outcome.counters["unknown_fields"] == 0
    assert {row["k"]: row["n"] for row in out.rows()} == {"a": 3, "b": 1}
