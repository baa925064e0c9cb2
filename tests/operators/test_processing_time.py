"""Windows of the clock, and windows over the results of windows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

import raystream as rs
from raystream.data.batch import TIME
from raystream.errors import ConfigurationError
from raystream.operators.operator import Restored
from raystream.testing import ADVANCE, CRASH, feed
from raystream.time.watermark import END_OF_TIME, Idle, Watermark
from raystream.verify.evaluate import evaluate
from tests.steps import WithProcessingTime


def test_rows_and_event_time_are_of_the_clock(harness: Any) -> None:
    task = harness(WithProcessingTime())
    task.clock.advance(100.0)
    task.process([{"n": 1}], time=7)
    assert task.take(hidden=True) == [{"n": 1, TIME: 100_000}]
    assert list(task.operator.own_news()) == [Watermark(100_000)]
    assert list(task.operator.own_news()) == [], "not for every row"
    assert task.operator.hands_on(Watermark(5)) is None
    assert task.operator.hands_on(Idle()) is None, "the clock goes on"
    task.operator.on_quiet(task.clock.now())
    assert task.operator.deadline() == task.clock.now() + 1, "to be woken though nothing comes"
    task.clock.advance(1.0)
    assert task.operator.deadline() is None, "it is asked for news now"
    assert list(task.operator.own_news()) == [Watermark(101_000)]
    assert task.operator.hands_on(Watermark(END_OF_TIME)) == Watermark(END_OF_TIME)
    task.clock.advance(9.0)
    assert list(task.operator.own_news()) == [], "nothing comes behind the end"


def test_the_clock_does_not_go_back_over_a_restart(harness: Any) -> None:
    step = WithProcessingTime()
    ahead, behind = harness(step), harness(step, index=1, parallelism=2)
    ahead.clock.advance(60.0)
    states = [task.operator.snapshot(1, final=False) for task in (ahead, behind)]
    again = harness(step, attempt=2, restored=Restored(states, redistribute=True))
    again.process([{"n": 1}])
    assert again.take(hidden=True) == [{"n": 1, TIME: 60_000}]


def counted(window: Any) -> rs.Pipeline:
    p = rs.Pipeline("clock", checkpoint_interval="1s")
    timed = p.read(rs.Rows([{"k": "a"}]), name="rows").with_processing_time().key_by("k")
    timed.window(window).agg(n=rs.count()).write(rs.Collect(), name="out")
    return p


def test_each_row_counts_once_over_crashes_and_rescales() -> None:
    events = ["a", "b", ADVANCE("3s"), "a", CRASH, "b", ADVANCE("15s"), "a"]
    items = [{"k": event} if event in ("a", "b") else event for event in events]
    rows = [item for item in items if isinstance(item, dict)]
    found = feed(counted(rs.tumbling("10s")), {"rows": items}, parallelism=[1, 2])["out"]
    totals: dict[str, int] = defaultdict(int)
    for row in found:
        totals[row["k"]] += row["n"]
        assert row["window_end"] - row["window_start"] == 10_000
    assert totals == {k: sum(r["k"] == k for r in rows) for k in {r["k"] for r in rows}}
    assert len({(row["k"], row["window_start"]) for row in found}) == len(found)


def test_windows_close_by_the_clock_though_nothing_comes() -> None:
    items = [{"k": "a"}, {"k": "a"}, ADVANCE("30s"), {"k": "a"}]
    found = feed(counted(rs.session("5s")), {"rows": items})["out"]
    assert sorted(row["n"] for row in found) == [1, 2]


def test_the_verifier_says_that_it_cannot_know() -> None:
    p = counted(rs.tumbling("1m"))
    with pytest.raises(ConfigurationError, match="no evaluation of the time of the clock"):
        evaluate(p.graph(), {"rows": [{"k": "a"}]})


def test_windows_over_the_results_of_windows() -> None:
    times = [(0, "a"), (30, "b"), (59, "a"), (61, "a"), (3599, "b"), (3600, "a"), (7300, "b")]
    p = rs.Pipeline("hours")
    source = rs.Rows([{"ts": t * 1000, "k": k} for t, k in times])
    clicks = p.read(source, event_time="ts", name="rows").key_by("k")
    minutes = clicks.window(rs.tumbling("1m")).agg(n=rs.count())
    hours = minutes.key_by().window(rs.tumbling("1h")).agg(busiest=rs.max("n"), all=rs.sum("n"))
    sessions = clicks.window(rs.session("10m")).agg(n=rs.count())
    days = sessions.key_by().window(rs.tumbling("1d")).agg(sessions=rs.count(), all=rs.sum("n"))
    hours.write(rs.Collect(), name="hours")
    days.write(rs.Collect(), name="days")
    rows = [{"ts": t * 1000, "k": k} for t, k in times]
    found = feed(p, {"rows": [*rows[:3], CRASH, *rows[3:]]}, parallelism=[2, 1])
    expected = evaluate(p.graph(), {"rows": rows})
    for name in ("hours", "days"):
        assert sorted(found[name], key=str) == sorted(expected[name], key=str)
    assert sorted(row["all"] for row in found["hours"]) == [1, 1, 5]
    assert [(row["sessions"], row["all"]) for row in found["days"]] == [(5, 7)]
