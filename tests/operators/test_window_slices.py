"""Windows that end at once are given out in slices: little memory, all of them, in order."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import TIME
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.policies import OnClose
from raystream.graph.windows import Window
from raystream.operators.window import slices as window_slices
from raystream.time.watermark import END_OF_TIME, Watermark
from raystream.verify.windows import windows_of
from tests.steps import WindowAggregate, WindowGlobal

MINUTE = 60_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(window_slices, "SLICE_ROWS", 50)
    return 50


def opened(harness: Any, window: Window, keys: tuple[str, ...] = ("k",), emit: Any = None) -> Any:
    counted = {"n": Aggregate(AggregateKind.COUNT)}
    asked = WindowAggregate(keys, window, counted, emit or OnClose())
    return harness(WindowGlobal(asked, False))


def minutes(count: int, keys: int) -> pl.DataFrame:
    times = [t * MINUTE for t in range(count) for _ in range(keys)]
    frame = pl.DataFrame({"k": list(range(keys)) * count, TIME: times})
    return frame.with_columns(pl.col("k").cast(pl.String))


def exploded(task: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows are in memory at once."""
    panes, sizes = task.operator._panes, []
    real = type(panes).explode

    def watched(self: Any, frame: pl.DataFrame, after: int, until: int | None) -> pl.DataFrame:
        found = real(self, frame, after, until)
        sizes.append(found.height)
        return found

    monkeypatch.setattr(type(panes), "explode", watched)
    return sizes


WINDOWS = [
    rs.hopping("1h", "1m"),
    rs.cumulative("1h", "1m"),
    rs.tumbling("1m"),
    rs.cumulative("1d", "1h", time_zone="Europe/Berlin"),
]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_jump_of_event_time_gives_out_every_window_a_few_rows_at_a_time(
    harness: Any, window: Window, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = opened(harness, window).process(minutes(120, 3))
    task.operator._kept.table.compact()
    sizes = exploded(task, monkeypatch)
    task.operator.on_watermark(Watermark(END_OF_TIME))
    steps = 1
    while task.operator.has_more():
        task.operator.proceed()
        steps += 1
    rows = task.take()
    assert steps > 2
    assert max(sizes) <= max(small, 60 * 3) * 2, "one window's rows, by parts of its keys"
    assert [r["window_end"] for r in rows] == sorted(r["window_end"] for r in rows)
    right: dict[Any, int] = {}
    for minute in range(120):
        for start, end in windows_of(window, minute * MINUTE):
            for key in "012":
                right[key, start, end] = right.get((key, start, end), 0) + 1
    assert {(r["k"], r["window_start"], r["window_end"]): r["n"] for r in rows} == right
    assert len(rows) == len(right)
    assert len(task.operator._kept.table) == 0


def test_one_window_with_many_keys_is_given_out_by_parts_of_them(harness: Any, small: int) -> None:
    task = opened(harness, rs.tumbling("1m")).process(minutes(1, 1000))
    task.operator.on_watermark(Watermark(MINUTE))
    assert task.operator.has_more()
    assert len(task.emitted[""]) == 1
    while task.operator.has_more():
        task.operator.proceed()
    parts = task.take_frames()
    assert len(parts) == 20
    assert max(part.height for part in parts) < 3 * small
    assert pl.concat(parts).get_column("k").n_unique() == 1000


def test_without_keys_a_window_is_never_divided(harness: Any, small: int) -> None:
    task = opened(harness, rs.hopping("2h", "1m"), keys=()).process(minutes(120, 2))
    task.operator.on_watermark(Watermark(END_OF_TIME))
    while task.operator.has_more():
        task.operator.proceed()
    ends = [row["window_end"] for row in task.take()]
    assert ends == [n * MINUTE for n in range(1, 240)]


def test_a_jump_over_years_without_rows_visits_no_window_of_them(harness: Any) -> None:
    task = opened(harness, rs.hopping("1h", "1m")).process([{"k": "a"}], time=0)
    task.process([{"k": "a"}], time=50 * 365 * 86_400_000)
    task.operator.on_watermark(Watermark(END_OF_TIME))
    assert len(task.take()) == 120


def test_early_rows_come_in_slices_and_once(
    harness: Any, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = opened(harness, rs.hopping("1h", "1m"), emit=rs.early("1s")).process(minutes(60, 2))
    sizes = exploded(task, monkeypatch)
    task.clock.advance(1.0)
    task.operator.on_time(1.0)
    assert task.operator.deadline() is None, "first the rest of these"
    while task.operator.has_more():
        task.operator.proceed()
    rows = task.take()
    assert max(sizes) <= 60 * 2 * 2
    assert len({(r["k"], r["window_end"]) for r in rows}) == len(rows) == 119 * 2
    assert {r["final"] for r in rows} == {False}


def test_late_rows_give_out_their_windows_again_in_slices(
    harness: Any, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few late rows are in many windows: those behind take some before the next are made."""
    counted = {"n": Aggregate(AggregateKind.COUNT)}
    window = rs.hopping("1h", "1m")
    asked = WindowAggregate(("k",), window, counted, allowed_lateness_ms=120 * MINUTE)
    task = harness(WindowGlobal(asked, False)).process(minutes(60, 3))
    task.operator.on_watermark(Watermark(120 * MINUTE))
    while task.operator.has_more():
        task.operator.proceed()
    task.take()
    sizes = exploded(task, monkeypatch)
    task.process(minutes(60, 3))
    assert task.operator.has_more()
    first = len(task.emitted[""])
    while task.operator.has_more():
        task.operator.proceed()
    assert first == 1
    rows = task.take()
    assert max(sizes) <= 60 * 3 * 4
    right: dict[Any, int] = {}
    for minute in range(60):
        for start, end in windows_of(window, minute * MINUTE):
            for key in "012":
                right[key, start, end] = right.get((key, start, end), 0) + 2
    assert {(r["k"], r["window_start"], r["window_end"]): r["n"] for r in rows} == right
    assert len(rows) == len(right)


def test_two_batches_at_once_are_both_right(harness: Any, small: int) -> None:
    """A step in front that gives two batches in one call."""
    counted = {"n": Aggregate(AggregateKind.COUNT)}
    asked = WindowAggregate(("k",), rs.hopping("10m", "1m"), counted, allowed_lateness_ms=10**9)
    task = harness(WindowGlobal(asked, False)).process(minutes(60, 3))
    task.operator.on_watermark(Watermark(120 * MINUTE))
    task.operator._drain()
    task.take()
    task.process(minutes(60, 3)).process(minutes(60, 3))
    task.operator._drain()
    last = {(r["k"], r["window_end"]): r["n"] for r in task.take()}
    assert last["0", 60 * MINUTE] == 30
    assert last["1", MINUTE] == 3
