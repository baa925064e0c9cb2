"""Automatic names: from content, the same after edits elsewhere, never a silent swap."""

from __future__ import annotations

import pytest

import raystream as rs
from raystream.errors import ConfigurationError

SCHEMA = {"ts": int, "ip": str, "status": int}


def pipeline(*, extra: bool = False, twin: bool = False) -> rs.Pipeline:
    p = rs.Pipeline("job")
    kafka = rs.Kafka("kafka:9092")
    rows = p.read(kafka.topic("requests"), event_time="ts", schema=SCHEMA)
    if extra:
        rows.select("ip").write(kafka.topic("ips"))
    if twin:
        low = rows.filter("status < 300").key_by("ip").window(rs.tumbling("1m"))
        low.agg(n=rs.count()).write(kafka.topic("low"))
    high = rows.filter("status >= 400").key_by("ip").window(rs.tumbling("1m"))
    high.agg(n=rs.count()).write(kafka.topic("counts"))
    return p


def names(p: rs.Pipeline) -> list[str]:
    return [node.name for node in p.graph().nodes]


def test_names_tell_verb_and_content() -> None:
    assert names(pipeline()) == [
        "read-requests",
        "filter-status-400",
        "key-ip",
        "tumbling-1m-ip",
        "write-counts",
    ]


def test_a_step_elsewhere_renames_nothing() -> None:
    assert set(names(pipeline())) <= set(names(pipeline(extra=True)))


def test_twins_are_both_told_apart_by_what_is_above() -> None:
    found = names(pipeline(twin=True))
    windows = [name for name in found if name.startswith("tumbling-1m-ip")]
    assert len(set(windows)) == 2
    assert "tumbling-1m-ip" not in windows
    assert found == names(pipeline(twin=True))


def test_stateful_steps_that_nothing_tells_apart_need_names() -> None:
    p = rs.Pipeline("job")
    for _ in range(2):
        p.read(rs.Kafka("kafka:9092").topic("requests"), schema=SCHEMA)
    with pytest.raises(ConfigurationError, match="do the same and have no names; give both"):
        p.graph()


def test_long_content_is_cut() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Kafka("kafka:9092").topic("t" * 200), schema=SCHEMA)
    rows.filter(" and ".join(["status > 1"] * 30))
    assert max(len(name) for name in names(p)) <= 60
