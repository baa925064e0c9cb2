"""Only the fields that are needed are decoded."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

import raystream as rs
from raystream.operators.needs import roots
from tests.plan.graphs import KAFKA, decoded, reading

ALL = ["ts", "ip", "path", "status", "bytes"]
MINUTE = rs.tumbling("1m")

Use = Callable[[rs.Stream], rs.Stream]

USES: dict[str, tuple[Use, list[str]]] = {
    "count per key": (
        lambda rows: rows.key_by("ip").window(MINUTE).agg(n=rs.count()),
        ["ts", "ip"],
    ),
    "values and conditions of aggregates": (
        lambda rows: rows.window(MINUTE).agg(n=rs.sum("bytes", where="status >= 500")),
        ["ts", "status", "bytes"],
    ),
    "filter in front": (
        lambda rows: rows.filter("path like '/api/%'").window(MINUTE).agg(n=rs.count()),
        ["ts", "path"],
    ),
    "select": (lambda rows: rows.select("ip", rs.col("bytes") * 8), ["ts", "ip", "bytes"]),
    "a computed column that nobody uses brings its inputs": (
        lambda rows: rows.with_columns(big="bytes > 9").select("ip"),
        ["ts", "ip", "bytes"],
    ),
    "a replaced column is not needed itself": (
        lambda rows: rows.with_columns(path="'x'").select("path"),
        ["ts"],
    ),
    "computed key": (
        lambda rows: rows.key_by(host=rs.col("ip").str.head(3)).window(MINUTE).agg(n=rs.count()),
        ["ts", "ip"],
    ),
    "written whole": (lambda rows: rows.filter("status > 1"), ALL),
    "a function of the row": (lambda rows: rows.filter(lambda row: True).select("ip"), ALL),
    "a function of the batch": (lambda rows: rows.map_batches(lambda frame: frame), ALL),
}


@pytest.mark.parametrize("name", USES)
def test_decoded(name: str) -> None:
    use, expected = USES[name]
    p = rs.Pipeline("job")
    use(reading(p)).write(KAFKA.topic("out"))
    assert decoded(p.plan()) == expected


def test_late_rows_are_wanted_whole() -> None:
    p = rs.Pipeline("job")
    counts = reading(p).key_by("ip").window(MINUTE).agg(n=rs.count())
    counts.write(KAFKA.topic("out"))
    counts.late.write(KAFKA.topic("late"))
    assert decoded(p.plan()) == ALL


def test_branches_add_up() -> None:
    p = rs.Pipeline("job")
    rows = reading(p)
    rows.select("ip").write(KAFKA.topic("a"))
    rows.select("status").write(KAFKA.topic("b"))
    assert decoded(p.plan()) == ["ts", "ip", "status"]


def test_a_stream_that_is_never_written_needs_nothing() -> None:
    p = rs.Pipeline("job")
    rows = reading(p)
    rows.filter("bytes > 1")
    rows.select("ip").write(KAFKA.topic("a"))
    plan = p.plan()
    assert decoded(plan) == ["ts", "ip"]
    assert [spec.name for _, spec in plan.steps()] == ["requests", "select-ip", "write-a"]


def test_without_event_time_a_count_still_decodes_a_column() -> None:
    p = rs.Pipeline("job")
    reading(p, event_time=None).window(MINUTE).agg(n=rs.count()).write(KAFKA.topic("out"))
    assert decoded(p.plan()) == ["ts"]


def test_metadata_columns_are_pruned_like_others() -> None:
    p = rs.Pipeline("job")
    topic = KAFKA.topic("requests", metadata=["partition", "offset"])
    rows = p.read(topic, event_time="ts", schema=SCHEMA, name="requests")
    rows.key_by("partition").window(MINUTE).agg(n=rs.count()).write(KAFKA.topic("out"))
    assert decoded(p.plan()) == ["ts", "partition"]


def test_text_that_is_a_column_is_that_column() -> None:
    assert roots("a b", ["a b"]) == {"a b"}


def test_a_selector_needs_everything() -> None:
    assert roots(pl.sum_horizontal(pl.all())) is None


SCHEMA = {"ts": int, "ip": str}
