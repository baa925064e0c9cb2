"""Windows whose rows change with every batch, against plain Python."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import TIME
from raystream.data.changes import CHANGE
from raystream.errors import ConfigurationError
from raystream.graph.policies import ErrorPolicy, OnUpdate
from raystream.graph.windows import Cumulative, Tumbling, Window
from raystream.operators.operator import Restored
from raystream.operators.window import updates
from raystream.time.watermark import END_OF_TIME, Watermark
from tests.operators.test_session import materialised
from tests.operators.test_window_global import (
    ALL,
    COUNT,
    EVENTS,
    ROWS,
    WINDOWS,
    Oracle,
    Subtasks,
    aggregate,
    canonical,
    placed,
)
from tests.steps import WindowAggregate, WindowUpdates

KINDS = {0: "insert", 1: "before", 2: "after", 3: "delete"}


class Changing(Subtasks):
    """Subtasks whose rows are changes."""

    def __init__(self, harness: Any, asked: WindowAggregate, pre_aggregated: bool) -> None:
        super().__init__(harness, asked, pre_aggregated)
        self.step = WindowUpdates(asked, pre_aggregated, ROWS)
        self.tasks = [harness(self.step, index=i, parallelism=2) for i in range(2)]

    def collect(self) -> None:
        for task in self.tasks:
            self.out += task.take(hidden=True)
            self.late_rows += task.counts.pop("late_rows", 0)
            task.take("late")


@settings(max_examples=8, deadline=None)
@given(EVENTS, WINDOWS, st.sampled_from([0, 0, 15]), st.booleans(), st.sampled_from([1, 100_000]))
def test_what_is_left_is_what_the_windows_hold(
    harness: Any,
    events: list[Any],
    window: Window,
    lateness: int,
    pre_aggregated: bool,
    at_once: int,
) -> None:
    asked = WindowAggregate(("ip",), window, ALL, OnUpdate(), lateness)
    subtasks, oracle = Changing(harness, asked, pre_aggregated), Oracle(window, lateness)
    places, known = count(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(updates, "SLICE_ROWS", at_once)
        for event in [*events, END_OF_TIME]:
            if isinstance(event, str):
                wide = len(subtasks.tasks)
                subtasks.restart(wide if event == "snapshot" else 5 - wide)
            elif isinstance(event, int):
                subtasks.to(event)
                oracle.to(event)
            else:
                rows = placed(event, places)
                subtasks.rows(rows)
                for row in rows:
                    oracle.row(row)
                subtasks.drain()
            known.update({key: list(rows) for key, rows in oracle.open.items()})
            subtasks.collect()
    expected = [
        {"ip": ip, "window_start": start, "window_end": end, **aggregate(rows)}
        for (start, end, ip), rows in known.items()
    ]
    found = materialised(subtasks.out)
    assert all(row.pop(TIME) == row["window_end"] - 1 for row in found)
    assert canonical(found) == canonical(expected)
    assert subtasks.late_rows == len(oracle.late)


def kinds(task: Any) -> list[tuple[Any, ...]]:
    return [(KINDS[row.pop(CHANGE)], *row.values()) for row in drop_time(task.take(hidden=True))]


def drop_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != TIME} for row in rows]


def test_a_batch_changes_a_window_once_and_its_end_says_nothing(harness: Any) -> None:
    task = harness(WindowUpdates(WindowAggregate((), Tumbling(10), COUNT, OnUpdate()), False))
    task.process([{"ip": "a"}, {"ip": "b"}], time=3)
    assert kinds(task) == [("insert", 0, 10, 2)]
    task.process([{"ip": "a"}], time=4)
    assert kinds(task) == [("before", 0, 10, 2), ("after", 0, 10, 3)]
    task.operator.on_watermark(Watermark(10))
    assert kinds(task) == []
    task.process([{"ip": "a"}], time=4)
    assert kinds(task) == []
    assert task.counts == {"late_rows": 1}
    task.process([{"ip": "a"}], time=12).operator.on_watermark(Watermark(END_OF_TIME))
    state = task.operator.snapshot(1, final=True)
    again = harness(task_step(), attempt=2, restored=Restored([state], False))
    again.process([{"ip": "a"}], time=12)
    assert again.counts == {"late_rows": 1}, "what the end has closed stays closed"


def task_step() -> WindowUpdates:
    return WindowUpdates(WindowAggregate((), Tumbling(10), COUNT, OnUpdate()), False)


def test_all_windows_of_a_row_change_also_growing_ones(harness: Any) -> None:
    asked = WindowAggregate((), Cumulative(30, 10), COUNT, OnUpdate())
    task = harness(WindowUpdates(asked, False)).process([{"ip": "a"}], time=12)
    assert kinds(task) == [("insert", 0, 20, 1), ("insert", 0, 30, 1)]


def test_a_result_that_does_not_fit_is_taken_back_until_it_fits_again(harness: Any) -> None:
    asked = WindowAggregate(
        (), Tumbling(10), {"s": rs.sum("n")}, OnUpdate(), errors=ErrorPolicy.SKIP
    )
    task = harness(WindowUpdates(asked, False))
    task.process([{"n": 2**62}], time=1).process([{"n": 2**62}], time=1)
    assert kinds(task) == [("insert", 0, 10, 2**62), ("delete", 0, 10, 2**62)]
    assert task.counts == {"skipped_rows": 1}
    task.process([{"n": -5}], time=1)
    assert kinds(task) == [("insert", 0, 10, 2**63 - 5)]


def sales() -> rs.Stream:
    rows = [{"shop": s, "ts": t} for s, t in [("a", 1), ("b", 2), ("a", 70_000), ("a", 3)]]
    return rs.Pipeline("updates").read(rs.Rows(rows), event_time="ts")


def test_an_aggregate_behind_follows_them() -> None:
    counts = sales().key_by("shop").window(rs.tumbling("1m"), emit="on_update").agg(n=rs.count())
    most = counts.key_by("window_start").aggregate(most=rs.max("n"), shops=rs.count())
    last = {row[1]: row[2:] for row in most.collect().rows() if row[0] != "update_before"}
    assert last == {0: (2, 2), 60_000: (1, 1)}


def test_changes_are_refused_where_they_would_be_counted_twice() -> None:
    counts = sales().window(rs.hopping("2m", "1m"), emit="on_update").agg(n=rs.count())
    with pytest.raises(ConfigurationError, match="these rows change earlier ones"):
        counts.window(rs.tumbling("1h")).agg(n=rs.sum("n")).collect()
    with pytest.raises(ConfigurationError, match="did you mean 'on_update'"):
        sales().window(rs.tumbling("1m"), emit="on_updat")
