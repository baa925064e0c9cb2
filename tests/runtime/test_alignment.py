"""Two sources, one old and one new: the new one waits, nothing is late, little is in flight."""

from __future__ import annotations

from typing import Any

import pytest

import raystream as rs
from raystream.config.load import Loading, load
from raystream.config.to_python import to_python
from raystream.errors import ConfigurationError
from raystream.testing import ADVANCE, CRASH, feed

HOUR, N = 3_600_000, 7000
OLD = [{"k": n % 3, "ts": n * 1000, "who": "old"} for n in range(N)]
NEW = [{"k": n % 3, "ts": HOUR + n * 1000, "who": "new"} for n in range(N)]
SLOW = [item for n in range(0, N, 500) for item in [*OLD[n : n + 500], ADVANCE("1s")]]
"""500 rows per second, the other has all at once."""

ONE_POLL = 2000
DRIFT = 900_000


def job(align: str | None) -> rs.Pipeline:
    options: dict[str, Any] = {} if align is None else {"align": align, "max_drift": "15m"}
    mark = rs.Watermark(out_of_orderness="1s", **options)
    p, kafka = rs.Pipeline("replay"), rs.Kafka("kafka:9092")
    schema = {"k": "int", "ts": "int", "who": "string"}
    streams = [
        p.read(kafka.topic(name), schema=schema, event_time="ts", watermark=mark, name=name)
        for name in ("new", "old")
    ]
    rows = streams[0].union(streams[1])
    rows.write(rs.Collect(), name="seen")
    counts = rows.key_by("k").window(rs.tumbling("10m"), name="counts").agg(n=rs.count())
    counts.late.write(rs.Collect(), name="late")
    counts.write(rs.Collect(), name="out")
    return p


def furthest(rows: list[dict[str, Any]]) -> int:
    """By how much the new source was ahead of the old one, at most, while both had rows."""
    latest, found = {"old": 0, "new": 0}, 0
    for who, time in ((row["who"], row["ts"]) for row in rows):
        latest[who] = max(latest[who], time)
        if who == "new" and time >= HOUR + 2 * ONE_POLL * 1000:  # unaware of others, until a ping
            found = max(found, time - latest["old"])
        if latest["old"] == (N - 1) * 1000:
            break
    return found


@pytest.mark.parametrize(("align", "near"), [("web", True), (None, False)])
def test_the_source_that_is_ahead_waits_for_the_other(align: str | None, near: bool) -> None:
    got = feed(job(align), {"old": SLOW, "new": NEW})
    assert got["late"] == []
    assert sum(row["n"] for row in got["out"]) == 2 * N
    assert (furthest(got["seen"]) <= DRIFT + ONE_POLL * 1000) == near


def test_both_go_on_after_a_restart() -> None:
    half = N // 2
    got = feed(job("web"), {"old": [*OLD[:half], CRASH, *OLD[half:]], "new": NEW})
    assert got["late"] == []
    assert sum(row["n"] for row in got["out"]) == 2 * N


def test_who_is_empty_holds_nobody_once_it_is_idle() -> None:
    got = feed(job("web"), {"old": [], "new": NEW})
    assert sum(row["n"] for row in got["out"]) == N


def test_the_group_in_a_pipeline_file(tmp_path: Any) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("""
version: 1
name: replay
source:
  files: {path: in}
  event_time: ts
  watermark: {align: {group: web, max_drift: 15m}}
sink: {files: {path: out}}
""")
    pipeline = load(str(path), Loading(environment={})).pipeline
    read = pipeline.graph().nodes[0].step
    assert (read.watermark.align, read.watermark.max_drift_ms) == ("web", DRIFT)
    assert 'rs.Watermark(align="web", max_drift="15m")' in to_python(pipeline)


def test_a_group_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_drift needs the group"):
        rs.Watermark(max_drift="1m")
    with pytest.raises(ConfigurationError, match="is not a name for a group of sources"):
        rs.Watermark(align="a b")
    rows = rs.Pipeline("p").read(rs.Rows([{"ts": 1}]))
    with pytest.raises(ConfigurationError, match="write align= at the watermark of the read"):
        rows.with_event_time("ts", watermark=rs.Watermark(align="web"))
