from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raystream.data.batch import ORDER, TIME
from raystream.data.hashing import partition
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.policies import Early, OnClose
from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window
from raystream.operators.operator import Restored
from raystream.operators.window import slices as window_slices
from raystream.time.watermark import END_OF_TIME, Idle, Watermark
from tests.operators.restarts import restarted
from tests.steps import WindowAggregate, WindowGlobal, WindowLocal, output_schema

K = AggregateKind
ROWS = Schema.of({"ip": "string", "n": "int", "x": "float"})
ALL = {
    "requests": Aggregate(K.COUNT),
    "with_n": Aggregate(K.COUNT, "n"),
    "big": Aggregate(K.COUNT, where="n > 2"),
    "total": Aggregate(K.SUM, "n"),
    "big_total": Aggregate(K.SUM, "n", where="n > 2"),
    "low": Aggregate(K.MIN, "n"),
    "high": Aggregate(K.MAX, pl.col("n") * 2),
    "mean": Aggregate(K.MEAN, "n", where="x >= 0.0"),
    "kinds": Aggregate(K.COUNT_DISTINCT, "x", where="n > 0"),
    "first": Aggregate(K.FIRST, "n"),
    "last": Aggregate(K.LAST, "x"),
    "last_n": Aggregate(K.LAST, "n"),
    "last_positive": Aggregate(K.LAST, "n", where="x > 0"),
}
COUNT = {"requests": Aggregate(K.COUNT)}


def windows_of(window: Window, time: int) -> list[tuple[int, int]]:
    """The windows of one row, by definition."""
    offset = window.offset_ms
    match window:
        case Tumbling(size_ms=size):
            start = (time - offset) // size * size + offset
            return [(start, start + size)]
        case Hopping(size_ms=size, slide_ms=slide):
            last = (time - offset) // slide * slide + offset
            return [(s, s + size) for s in range(last, time - size, -slide)]
        case Cumulative(max_size_ms=size, step_ms=step):
            start = (time - offset) // size * size + offset
            ends = range(start + step, start + size + 1, step)
            return [(start, end) for end in ends if end > time]


def aggregate(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """ALL, by definition."""
    n = [r["n"] for r in rows if r["n"] is not None]
    big = [v for v in n if v > 2]
    known = [r["n"] for r in rows if r["n"] is not None and r["x"] is not None and r["x"] >= 0]
    by_time = sorted(rows, key=lambda r: (r["t"], r["place"]))
    positive = [r for r in by_time if r["x"] is not None and r["x"] > 0]
    return {
        "requests": len(rows),
        "with_n": len(n),
        "big": len(big),
        "total": sum(n),
        "big_total": sum(big),
        "low": min(n, default=None),
        "high": max((2 * v for v in n), default=None),
        "mean": sum(known) / len(known) if known else None,
        "kinds": len({r["x"] for r in rows if r["x"] is not None and (r["n"] or 0) > 0}),
        "first": by_time[0]["n"],
        "last": by_time[-1]["x"],
        "last_n": by_time[-1]["n"],
        "last_positive": positive[-1]["n"] if positive else None,
    }


class Oracle:
    """Windows in plain Python: row by row, watermark by watermark."""

    def __init__(self, window: Window, lateness: int = 0) -> None:
        self.window, self.lateness = window, lateness
        self.watermark = -(2**62)
        self.open: dict[tuple[int, int, Any], list[dict[str, Any]]] = defaultdict(list)
        self.late: list[dict[str, Any]] = []
        self.out: list[dict[str, Any]] = []

    def row(self, row: dict[str, Any]) -> None:
        spans = windows_of(self.window, row["t"])
        alive = [(s, e) for s, e in spans if e + self.lateness > self.watermark]
        if not alive:
            self.late.append({name: row[name] for name in ("ip", "t", "n", "x")})
        for start, end in alive:
            self.open[start, end, row["ip"]].append(row)

    def to(self, watermark: int) -> None:
        reached = max(watermark, self.watermark)
        for (start, end, ip), rows in sorted(self.open.items(), key=repr):
            if self.watermark < end <= reached:
                row = {"ip": ip, "window_start": start, "window_end": end}
                self.out.append({**row, **aggregate(rows)})
        self.watermark = reached
        self.open = defaultdict(
            list, {k: v for k, v in self.open.items() if k[1] + self.lateness > reached}
        )


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


ROW = st.fixed_dictionaries(
    {
        "ip": st.sampled_from(["a", "b", "c", None]),
        "t": st.integers(-60, 200),
        "n": st.none() | st.integers(-3, 6),
        "x": st.none() | st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
    }
)
WINDOWS = st.sampled_from(
    [Tumbling(10), Tumbling(25, 7), Hopping(30, 10), Hopping(20, 20, -3), Hopping(12, 4, 1),
     Cumulative(40, 10), Cumulative(30, 5, 4)]
)  # fmt: skip
EVENTS = st.lists(
    st.lists(ROW, min_size=1, max_size=8)
    | st.integers(-60, 220)
    | st.sampled_from(["snapshot", "rescale"]),
    max_size=12,
)


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {"ip": pl.String, "t": pl.Int64, "n": pl.Int64, "x": pl.Float64, "place": pl.Int128}
    return (
        pl.DataFrame(rows, schema=schema)
        .rename({"place": ORDER})
        .with_columns(pl.col("t").alias(TIME))
    )


def placed(rows: list[dict[str, Any]], places: Iterator[int]) -> list[dict[str, Any]]:
    """The rows with their place in the input."""
    return [{**row, "place": next(places)} for row in rows]


@pytest.fixture(autouse=True)
def _slices_as_they_are() -> Any:
    usual = window_slices.SLICE_ROWS
    yield
    window_slices.SLICE_ROWS = usual


class Subtasks:
    """A window behind a hash exchange, as several subtasks that can be snapshotted and rescaled."""

    def __init__(self, harness: Any, asked: WindowAggregate, pre_aggregated: bool) -> None:
        self.harness, self.asked, self.pre_aggregated = harness, asked, pre_aggregated
        self.step = WindowGlobal(asked, pre_aggregated)
        self.attempt = 1
        self.late_rows = 0
        self.out: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.tasks = [harness(self.step, index=i, parallelism=2) for i in range(2)]

    def rows(self, rows: list[dict[str, Any]]) -> None:
        frame = frame_of(rows)
        if self.pre_aggregated:
            local = self.harness(WindowLocal(self.asked)).process(frame)
            [frame] = local.take_frames()
        parts = partition(frame, list(self.asked.keys), len(self.tasks))
        for task, part in zip(self.tasks, parts, strict=True):
            if part is not None:
                task.process(part)

    def to(self, watermark: int) -> None:
        self.drain()
        for task in self.tasks:
            task.operator.on_watermark(Watermark(watermark))
        self.drain()

    def drain(self) -> None:
        """Event time and barriers wait for what is pending, as in a chain."""
        for task in self.tasks:
            while task.operator.has_more():
                task.operator.proceed()

    def restart(self, parallelism: int) -> None:
        self.drain()
        self.collect()
        self.attempt += 1
        self.tasks = restarted(self.harness, self.step, self.tasks, self.attempt, parallelism)

    def collect(self) -> None:
        for task in self.tasks:
            self.out += task.take()
            self.late += task.take("late")
            self.late_rows += task.counts.pop("late_rows", 0)


@settings(max_examples=50, deadline=None)
@given(EVENTS, WINDOWS, st.booleans(), st.sampled_from([1, 3, 100_000]))
def test_same_as_the_oracle_through_snapshots_and_rescaling(
    harness: Any, events: list, window: Window, pre_aggregated: bool, at_once: int
) -> None:
    window_slices.SLICE_ROWS = at_once
    asked = WindowAggregate(("ip",), window, ALL)
    subtasks, oracle = Subtasks(harness, asked, pre_aggregated), Oracle(window)
    places = count()
    for event in [*events, END_OF_TIME]:
        if event == "snapshot":
            subtasks.restart(len(subtasks.tasks))
        elif event == "rescale":
            subtasks.restart(5 - len(subtasks.tasks))
        elif isinstance(event, int):
            subtasks.to(event)
            oracle.to(event)
        else:
            rows = placed(event, places)
            subtasks.rows(rows)
            for row in rows:
                oracle.row(row)
    subtasks.collect()
    assert canonical(subtasks.out) == canonical(oracle.out)
    assert subtasks.late_rows == len(oracle.late)
    if not pre_aggregated:
        assert canonical(subtasks.late) == canonical(oracle.late)


NOBODY = {"ip": "a", "n": None, "x": None}


@settings(max_examples=40, deadline=None)
@given(EVENTS, WINDOWS, st.integers(1, 30), st.booleans(), st.sampled_from([1, 3, 100_000]))
@example(  # two windows are given again, a slice each, when the watermark comes
    [[NOBODY | {"t": 0}], 189, [NOBODY | {"t": 181}]], Hopping(12, 4, 1), 5, False, 1
)
def test_with_lateness_the_last_row_of_each_window_is_right(
    harness: Any, events: list, window: Window, lateness: int, early: bool, at_once: int
) -> None:
    window_slices.SLICE_ROWS = at_once
    emit = Early(1000) if early else OnClose()
    asked = WindowAggregate(("ip",), window, ALL, emit, allowed_lateness_ms=lateness)
    subtasks, oracle = Subtasks(harness, asked, True), Oracle(window, lateness)
    places = count()
    known: dict[tuple[int, int, Any], list] = {}
    for event in [*events, END_OF_TIME]:
        if isinstance(event, str):
            subtasks.restart(len(subtasks.tasks) if event == "snapshot" else 2)
        elif isinstance(event, int):
            subtasks.to(event)
            oracle.to(event)
        else:
            rows = placed(event, places)
            subtasks.rows(rows)
            for row in rows:
                oracle.row(row)
        known.update({key: list(rows) for key, rows in oracle.open.items()})
    subtasks.collect()
    last = {
        (row["window_start"], row["window_end"], row["ip"]): row
        for row in subtasks.out
        if row.pop("final", True)
    }
    expected = [
        {"ip": ip, "window_start": s, "window_end": e, **aggregate(rows)}
        for (s, e, ip), rows in known.items()
    ]
    assert canonical(list(last.values())) == canonical(expected)
    assert subtasks.late_rows == len(oracle.late)


def test_rows_go_out_with_the_last_millisecond_of_their_window_in_order(harness: Any) -> None:
    task = harness(WindowGlobal(WindowAggregate(("ip",), Tumbling(10), COUNT), False))
    task.process([{"ip": "b"}, {"ip": "a"}], time=12).process([{"ip": "b"}], time=3)
    task.operator.on_watermark(Watermark(19))
    task.operator.on_watermark(Idle())
    assert task.take(hidden=True) == [
        {"ip": "b", "window_start": 0, "window_end": 10, "requests": 1, TIME: 9}
    ]
    task.operator.on_watermark(Watermark(20))
    task.process([{"ip": "a"}], time=22)
    task.operator.on_watermark(Watermark(END_OF_TIME))
    assert [row["window_end"] for row in task.take()] == [20, 20, 30]


def test_without_keys_there_is_one_global_group(harness: Any) -> None:
    task = harness(WindowGlobal(WindowAggregate((), Hopping(20, 10), COUNT), False))
    task.process([{"ip": "b"}, {"ip": "a"}], time=12)
    task.operator.on_watermark(Watermark(END_OF_TIME))
    assert task.take() == [
        {"window_start": 0, "window_end": 20, "requests": 2},
        {"window_start": 10, "window_end": 30, "requests": 2},
    ]


def test_after_the_end_the_watermark_is_the_end_of_the_last_window_closed(harness: Any) -> None:
    step = WindowGlobal(WindowAggregate(("ip",), Tumbling(10), COUNT), False)
    task = harness(step).process([{"ip": "a"}], time=12)
    task.operator.on_watermark(Watermark(5))
    task.operator.on_watermark(Watermark(END_OF_TIME))
    state = task.operator.snapshot(1, final=True)
    assert (state.header["watermark"], state.segments) == (20, [])
    again = harness(step, attempt=2, restored=Restored([state], False))
    again.process([{"ip": "a"}, {"ip": "b"}], time=pl.Series([19, 20]))
    again.operator.on_watermark(Watermark(END_OF_TIME))
    assert again.take() == [{"ip": "b", "window_start": 20, "window_end": 30, "requests": 1}]
    assert again.counts == {"late_rows": 1}
    assert again.take("late") == [{"ip": "a"}]


def test_late_rows_are_counted_but_not_sent_where_nobody_listens(harness: Any) -> None:
    task = harness(WindowGlobal(WindowAggregate(("ip",), Tumbling(10), COUNT), False), late=False)
    task.operator.on_watermark(Watermark(10))
    task.process([{"ip": "a"}], time=9)
    assert (task.counts, task.emitted) == ({"late_rows": 1}, {})


def test_early_rows_come_by_wall_clock_for_windows_that_changed(harness: Any) -> None:
    asked = WindowAggregate(("ip",), Tumbling(100), COUNT, Early(1000))
    task = harness(WindowGlobal(asked, False))
    assert task.operator.deadline() is None
    task.process([{"ip": "a"}, {"ip": "b"}, {"ip": "a"}], time=5)
    assert task.operator.deadline() == 1.0
    task.operator.on_time(0.5)
    assert task.take() == []
    task.operator.on_time(1.0)
    assert sorted((r["ip"], r["requests"], r["final"]) for r in task.take()) == [
        ("a", 2, False),
        ("b", 1, False),
    ]
    assert task.operator.deadline() is None
    task.clock.advance(5)
    task.process([{"ip": "a"}], time=50)
    assert task.operator.deadline() == 6.0
    task.operator.on_time(6.0)
    assert [(r["ip"], r["requests"]) for r in task.take()] == [("a", 3)]
    task.process([{"ip": "b"}], time=50)
    task.operator.on_watermark(Watermark(100))
    task.operator.on_time(99.0)
    assert sorted((r["ip"], r["requests"], r["final"]) for r in task.take()) == [
        ("a", 3, True),
        ("b", 2, True),
    ]


def test_early_rows_that_were_due_are_not_forgotten_by_a_restart(harness: Any) -> None:
    asked = WindowAggregate(("ip",), Hopping(20, 10), COUNT, Early(1000))
    step = WindowGlobal(asked, False)
    task = harness(step).process([{"ip": "a"}], time=15)
    state = task.operator.snapshot(1, final=False)
    again = harness(step, attempt=2, restored=Restored([state], False))
    again.operator.on_time(1.0)
    assert [(r["window_start"], r["final"]) for r in again.take()] == [(0, False), (10, False)]


def test_early_rows_of_a_cumulative_window_tell_the_first_end_only(harness: Any) -> None:
    asked = WindowAggregate(("ip",), Cumulative(100, 10), COUNT, Early(1000))
    task = harness(WindowGlobal(asked, False))
    task.process([{"ip": "a"}], time=5)
    task.operator.on_watermark(Watermark(10))
    task.take()
    task.process([{"ip": "a"}], time=15)
    task.operator.on_time(9.0)
    assert [(r["window_end"], r["requests"]) for r in task.take()] == [(20, 2)]


def test_unchanged_segments_keep_their_ids(harness: Any) -> None:
    step = WindowGlobal(WindowAggregate(("ip",), Tumbling(100), COUNT), False)
    task = harness(step).process([{"ip": "a"}])
    first = task.operator.snapshot(1, final=False)
    task.process([{"ip": "b"}])
    second = task.operator.snapshot(2, final=False)
    assert [s.id for s in first.segments] == ["1-panes-0"]
    assert [s.id for s in second.segments] == ["1-panes-0", "1-panes-1"]
    again = harness(step, attempt=2, restored=Restored([second], False)).process([{"ip": "c"}])
    third = again.operator.snapshot(1, final=False)
    assert [s.id for s in third.segments] == ["1-panes-0", "1-panes-1", "2-panes-0"]


def test_output_columns() -> None:
    asked = WindowAggregate(("ip",), Tumbling(10), ALL, Early(1))
    found = output_schema(asked, [ROWS])
    assert found.names() == ["ip", "window_start", "window_end", *ALL, "final"]
    assert found.columns["total"] == pl.Int64()
    assert found.columns["mean"] == pl.Float64()
    assert found.required == {"window_start", "window_end"}
    assert found.key == ("ip",)
    assert output_schema(WindowLocal(asked), [ROWS]).names() == ["ip"]
    assert output_schema(asked, [Schema({}, open=True)]).open


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (WindowAggregate(("ipp",), Tumbling(10), COUNT),
         "key of the window: no column 'ipp'; did you mean 'ip'? columns: ip, n, x; the window "
         "groups by the key: key_by() takes it off"),
        (WindowAggregate(("ip",), Tumbling(10), {"t": Aggregate(K.SUM, "nn")}),
         "no column 'nn'; did you mean 'n'? columns: ip, n, x"),
        (WindowAggregate(("ip",), Tumbling(10), {"t": Aggregate(K.SUM, "ip")}),
         "t: sum of String; give a column of numbers"),
        (WindowAggregate(("ip",), Tumbling(10), {"ip": Aggregate(K.COUNT)}),
         "agg: two output columns would be called 'ip'; give the key or the aggregate another "
         "name"),
        (WindowAggregate(("ip",), Tumbling(10), {"t": Aggregate(K.MIN)}),
         "t: min of nothing; write min(column)"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_said_before(asked: WindowAggregate, message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        output_schema(asked, [ROWS])
    assert str(error.value) == message


def test_aggregates_may_be_called_as_hidden_columns_are(harness: Any) -> None:
    asked = {name: Aggregate(K.MEAN, "n") for name in ("rows", "time", "pane", "n", "key", "agg:n")}
    task = harness(WindowGlobal(WindowAggregate(("ip",), Tumbling(10), asked), False))
    task.process([{"ip": "a", "n": 4}])
    task.operator.on_watermark(Watermark(10))
    assert task.take() == [
        {"ip": "a", "window_start": 0, "window_end": 10, **dict.fromkeys(asked, 4.0)}
    ]


def test_sums_of_small_integers_do_not_overflow(harness: Any) -> None:
    asked = WindowAggregate(("k",), Tumbling(10), {"s": Aggregate(K.SUM, "v")})
    frame = pl.DataFrame(
        {"k": [1, 1], "v": [2**31 - 1, 2**31 - 1]}, schema_overrides={"v": pl.Int32}
    )
    task = harness(WindowGlobal(asked, False)).process(frame)
    task.operator.on_watermark(Watermark(END_OF_TIME))
    [row] = task.take()
    assert math.isclose(row["s"], 2**32 - 2)
