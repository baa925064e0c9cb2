"""Event time through the whole engine: extremes, units, nested fields, given later."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.errors import JobFailed
from raystream.graph.windows import Window
from raystream.testing import ADVANCE, CRASH, feed
from raystream.time.limits import EARLIEST_MS, LATEST_MS
from raystream.verify.evaluate import evaluate
from raystream.verify.windows import windows_of

Row = dict[str, Any]
NOW = 1_999_999_980_000


def counting(window: Window | None = None, **read: Any) -> rs.Pipeline:
    p = rs.Pipeline("times")
    read = {"event_time": "ts", **read}
    rows = p.read(rs.Rows([]), name="rows", **read)
    counts = rows.key_by("k").window(window or rs.tumbling("1m")).agg(n=rs.count())
    counts.write(rs.Collect(), name="out")
    if read.get("errors") == "dlq":
        rows.errors.write(rs.Collect(), name="dead")
    return p


def told(rows: list[Row]) -> set[tuple[Any, ...]]:
    return {(row["k"], row["window_start"], row["n"]) for row in rows}


ENDS = [2**63 - 1, -(2**63), -(2**62), EARLIEST_MS - 1, LATEST_MS + 1, 10**18, -(10**18)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([*ENDS, EARLIEST_MS, LATEST_MS, 0, NOW]), min_size=1, max_size=6),
    st.sampled_from(
        [
            rs.tumbling("1m"),
            rs.hopping("9000d", "3000d", offset=-7),
            rs.cumulative("3650000d", "365000d"),
        ]
    ),
    st.sampled_from([None, "1h"]),
)
def test_the_ends_of_64_bits_take_no_other_key_along(
    times: list[int], window: Window, max_future: str | None
) -> None:
    good = [{"k": "good", "ts": NOW + n} for n in range(3)]
    rows = good + [{"k": "odd", "ts": time} for time in times]
    late = "3650000d"
    p = counting(window, errors="dlq", watermark=rs.Watermark(
        out_of_orderness=late, max_future=max_future))  # fmt: skip
    out = feed(p, {"rows": rows}, wall_ms=NOW)
    usable = [
        t for t in times if EARLIEST_MS <= t <= (NOW + 3_600_000 if max_future else LATEST_MS)
    ]
    right: dict[Any, int] = {}
    for key, time in [("odd", t) for t in usable] + [("good", row["ts"]) for row in good]:
        for start, _ in windows_of(window, time):
            right[key, start, _] = right.get((key, start, _), 0) + 1
    found = {(r["k"], r["window_start"], r["window_end"]): r["n"] for r in out["out"]}
    assert found == right
    assert len(out["dead"]) == len(times) - len(usable)
    assert all("event time" in row["reason"] for row in out["dead"])


def test_local_days_reach_from_the_first_year_to_the_last() -> None:
    rows = [{"k": "a", "ts": time} for time in (EARLIEST_MS, LATEST_MS, *ENDS)]
    for zone in ("Pacific/Apia", "America/New_York"):
        window = rs.tumbling("1d", time_zone=zone)
        strategy = rs.Watermark(out_of_orderness="3650000d", max_future=None)
        out = feed(counting(window, errors="dlq", watermark=strategy), {"rows": rows})["out"]
        spans = [(row["window_start"], row["window_end"], row["n"]) for row in out]
        assert sorted(n for _, _, n in spans) == [1, 1]
        assert all(start <= time < end for (start, end, _), time in
                   zip(sorted(spans), (EARLIEST_MS, LATEST_MS), strict=True))  # fmt: skip


def test_such_a_row_goes_by_the_policy() -> None:
    rows = [{"k": "a", "ts": NOW}, {"k": "b", "ts": -(2**63)}, {"k": "c", "ts": None}]
    assert told(feed(counting(errors="skip"), {"rows": rows})["out"]) == {("a", NOW, 1)}
    with pytest.raises(JobFailed, match="outside the years 1 to 9999"):
        feed(counting(), {"rows": rows[:2]})
    with pytest.raises(JobFailed, match="null"):
        feed(counting(), {"rows": [rows[0], rows[2]]})


def test_a_null_within_an_object_goes_by_the_policy() -> None:
    rows = [{"k": "a", "m": {"ts": NOW}}, {"k": "b", "m": {"ts": None}}, {"k": "c", "m": None}]
    out = feed(counting(event_time="m.ts", errors="dlq"), {"rows": rows})
    assert told(out["out"]) == {("a", NOW, 1)}
    assert [row["reason"] for row in out["dead"]] == ["event time is null"] * 2


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (NOW // 1000, {"event_time_unit": "s"}),
        (NOW / 1000, {"event_time_unit": "s"}),
        (NOW * 1000 + 999, {"event_time_unit": "us"}),
        (NOW * 10**6, {"event_time_unit": "ns"}),
        ("2033-05-18T03:33:00Z", {"event_time_unit": "iso8601"}),
        ("2033-05-18 05:33", {"event_time_unit": "iso8601", "time_zone": "Europe/Berlin"}),
        (NOW // 1000, {"schema": {"k": "string", "ts": "timestamp_s not null"}}),
        ("20330518T0333Z", {"schema": {"k": "string", "ts": "iso8601"}}),
        (NOW - 5, {"event_time": "ts + 5"}),
    ],
)
def test_units(value: Any, read: dict[str, Any]) -> None:
    out = feed(counting(**read), {"rows": [{"k": "a", "ts": value}]})
    assert told(out["out"]) == {("a", NOW, 1)}


@pytest.mark.parametrize("name", ["event time", "a.b", "order", "x-y"])
def test_the_column_may_be_called_in_any_way(name: str) -> None:
    out = feed(counting(event_time=name), {"rows": [{"k": "a", name: NOW}]})
    assert told(out["out"]) == {("a", NOW, 1)}


def test_seconds_taken_for_milliseconds_are_suspected(capsys: Any, tmp_path: Any) -> None:
    p = rs.Pipeline("old")
    p.read(rs.Rows([{"ts": 1_700_000_000}]), event_time="ts").write(rs.Collect())
    p.run(local=True, checkpoint_storage=str(tmp_path))
    said = "".join(capsys.readouterr())
    assert "is before 1990" in said
    assert "these look like seconds: write event_time_unit='s'" in said


def test_microseconds_are_suspected_where_they_would_all_be_dropped(
    capsys: Any, tmp_path: Any
) -> None:
    p = rs.Pipeline("new")
    p.read(rs.Rows([{"ts": 1_700_000_000_000_000}]), event_time="ts").write(rs.Collect())
    p.run(local=True, checkpoint_storage=str(tmp_path))
    said = "".join(capsys.readouterr())
    assert "these look like microseconds: write event_time_unit='us'" in said


# -- given later -----------------------------------------------------------------------------------


def retimed(**options: Any) -> rs.Pipeline:
    p = rs.Pipeline("retimed")
    rows = p.read(rs.Rows([], partitions=2), event_time="arrived", name="rows")
    marked = rows.filter("v >= 0").with_event_time(
        "at.ts", event_time_unit="s", watermark=rs.Watermark(out_of_orderness="1h"), **options
    )
    counts = marked.key_by("k").window(rs.tumbling("1m")).agg(n=rs.count())
    counts.write(rs.Collect(), name="out")
    if options.get("errors") == "dlq":
        marked.errors.write(rs.Collect(), name="dead")
    return p


ROWS = [
    {"arrived": NOW + n, "v": n, "k": "abc"[n % 3], "at": {"ts": NOW // 1000 - 7 * (n % 50)}}
    for n in range(200)
]


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("stops", [[], [CRASH]])
def test_event_time_given_later(parallelism: int, stops: list[Any]) -> None:
    items = [*ROWS[:80], *stops, *ROWS[80:]]
    out = feed(retimed(), {"rows": items}, parallelism=parallelism)
    assert told(out["out"]) == told(evaluate(retimed().graph(), {"rows": ROWS})["out"])


def test_time_that_passes_and_a_crash_change_nothing() -> None:
    items = [*ROWS[:80], ADVANCE("40s"), CRASH, *ROWS[80:]]
    out = feed(retimed(), {"rows": items})
    assert told(out["out"]) == told(evaluate(retimed().graph(), {"rows": ROWS})["out"])


def test_what_is_told_above_closes_no_window_behind() -> None:
    rows = [*ROWS[:3], {**ROWS[3], "arrived": NOW + 10**6}, ADVANCE("10s"), *ROWS[4:60]]
    out = feed(retimed(), {"rows": rows})
    assert told(out["out"]) == told(
        evaluate(retimed().graph(), {"rows": [r for r in rows if isinstance(r, dict)]})["out"]
    )


def test_rows_without_a_time_go_by_the_policy_of_the_step() -> None:
    bad = [{**ROWS[0], "at": None}, {**ROWS[1], "at": {"ts": 10**12}}]
    out = feed(retimed(errors="dlq"), {"rows": [*ROWS[:2], *bad]})
    assert sum(row["n"] for row in out["out"]) == 2
    assert len(out["dead"]) == 2
    with pytest.raises(JobFailed, match="event time is null"):
        feed(retimed(), {"rows": bad})


def test_a_subtask_without_rows_holds_nobody_back() -> None:
    p = rs.Pipeline("one-key")
    rows = p.read(rs.Rows([], partitions=2), event_time="ts", name="rows")
    later = rows.key_by("k").with_event_time("ts", watermark=rs.Watermark(idle_timeout="5s"))
    later.key_by("j").window(rs.tumbling("1s")).agg(n=rs.count()).write(rs.Collect(), name="out")
    given = [{"ts": NOW + n * 1000, "k": "only", "j": 1} for n in range(100)]
    out = feed(p, {"rows": [*given, ADVANCE("20s"), CRASH, ADVANCE("20s")]}, parallelism=4)
    assert sum(row["n"] for row in out["out"]) == 100


@pytest.mark.parametrize("later", [False, True])
def test_a_time_that_an_expression_cannot_make_takes_no_other_row_with_it(later: bool) -> None:
    p = rs.Pipeline("times")
    time = rs.col("s").str.to_integer() * 1000
    read: dict[str, Any] = {"event_time": "ts"} if later else {"event_time": time, "errors": "dlq"}
    rows = p.read(rs.Rows([]), name="rows", schema={"s": "string", "ts": "int"}, **read)
    timed = rows.with_event_time(time, errors="dlq") if later else rows
    timed.write(rs.Collect(), name="out")
    timed.errors.write(rs.Collect(), name="dead")
    texts = ["1", "x", str(2**63 - 1), "2", ""]  # the third wraps to -1000 if it is not looked at
    found = feed(p, {"rows": [{"s": s, "ts": 1} for s in texts]})
    assert [row["s"] for row in found["out"]] == ["1", "2"]
    assert len(found["dead"]) == 3
