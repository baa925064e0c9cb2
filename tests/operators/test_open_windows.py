"""How many windows are open, against the windows that each pane has, and what operators tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.graph.policies import OnUpdate
from raystream.graph.windows import Cumulative, Hopping, Session, Tumbling, Window
from raystream.operators.window.open_windows import open_windows
from raystream.operators.window.panes import PANE, WINDOW_END, panes_of
from raystream.state import sorted_runs
from raystream.state.keyed_table import KeyedTable
from raystream.time.local_days import DAY_MS
from raystream.time.watermark import Watermark
from tests.operators.joining import ON, Subtasks
from tests.steps import (
    SessionAggregate,
    WindowAggregate,
    WindowGlobal,
    WindowJoin,
    WindowUpdates,
)

COUNT = {"n": rs.count()}
BERLIN = "Europe/Berlin"
WINDOWS = [
    Tumbling(10),
    Tumbling(10, offset_ms=3),
    Hopping(30, 10),
    Hopping(30, 10, offset_ms=-4),
    Cumulative(30, 10),
    Tumbling(DAY_MS, time_zone=BERLIN),
    Hopping(3 * DAY_MS, DAY_MS, time_zone=BERLIN),
    Cumulative(3 * DAY_MS, DAY_MS, time_zone=BERLIN),
]
PLACES = st.lists(st.integers(-9, 40), max_size=12)


@settings(max_examples=80)
@given(st.sampled_from(WINDOWS), PLACES, st.integers(-12, 45))
def test_as_many_as_the_panes_have_windows(window: Window, places: list[int], after: int) -> None:
    panes, unit = panes_of(window), 1 if window.time_zone is None else DAY_MS // 7
    held = np.unique(np.array([panes.pane_of(each * unit) for each in places], np.int64))
    every = panes.explode(pl.DataFrame({PANE: held}), after * unit, 2**50)
    assert open_windows(panes, held, after * unit) == every[WINDOW_END].n_unique()


def test_a_day_that_slides_by_a_second_is_counted_at_once() -> None:
    panes = panes_of(Hopping(DAY_MS, 1000))
    held = np.arange(0, DAY_MS, 1000)
    assert open_windows(panes, held, 0) == 2 * 86_400 - 1


def test_before_the_first_watermark_and_without_rows() -> None:
    panes = panes_of(Hopping(30, 10))
    assert open_windows(panes, np.array([0]), -(2**62)) == 3
    assert open_windows(panes, np.array([], np.int64), 5) == 0


def _told(task: Any) -> float:
    return float(task.operator.gauges()["windows_open"])


@pytest.mark.parametrize(
    ("step", "opened", "later"),
    [
        (WindowGlobal(WindowAggregate(("k",), Tumbling(10), COUNT), False), 2, 1),
        (WindowUpdates(WindowAggregate(("k",), Tumbling(10), COUNT, OnUpdate()), False), 3, 1),
        (SessionAggregate(("k",), Session(5), COUNT), 3, 1),
    ],
    ids=["closing", "updating", "sessions"],
)
def test_windows_that_are_over_are_not_counted(
    harness: Any, step: Any, opened: int, later: int
) -> None:
    task = harness(step)
    assert _told(task) == 0
    for k, at in (("a", 1), ("b", 2), ("a", 14)):
        task.process(pl.DataFrame({"k": [k]}), time=at)
    assert _told(task) == opened
    task.operator.on_watermark(Watermark(12))
    assert _told(task) == later
    task.operator.on_watermark(Watermark(30))
    assert _told(task) == 0


def test_a_window_join_counts_the_windows_of_both_sides() -> None:
    join = Subtasks(WindowJoin(ON, window=Hopping(20, 10)), 1)
    told = join.operators[0].gauges
    assert told()["windows_open"] == 0
    join.process(0, [(1, 0, 0, 5), (2, 0, 0, 15)])
    join.process(1, [(1, 0, 45)])
    assert told()["windows_open"] == 5
    join.watermark(20)
    assert told()["windows_open"] == 3


def test_a_large_table_is_counted_without_merging_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "EXACT_ROWS", 2)
    table = KeyedTable(["k"], {"k": pl.Int64(), "v": pl.Int64()}, prefix="0")
    for k in (1, 2, 3):
        table.put(pl.DataFrame({"k": [k], "v": [0]}))
    table.delete(pl.DataFrame({"k": [1]}))
    before = list(table.runs)
    assert 2 <= table.count() <= 3
    assert table.runs == before
