"""A function over the rows of each closed window, against plain Python."""

from __future__ import annotations

from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, UserCodeError
from raystream.graph.policies import ErrorPolicy
from raystream.graph.windows import Session, Tumbling, Window
from raystream.operators.operator import Restored
from raystream.operators.window import slices as window_slices
from raystream.operators.window_apply import applied
from raystream.time.watermark import END_OF_TIME, Watermark
from tests.operators import test_session as sessions
from tests.operators import test_window_global as windows
from tests.steps import WindowApply, output_schema

RETURNS = {"requests": "int", "total": "int", "first": "int", "last_n": "int"}
MADE = ("ip", "window_start", "window_end", *RETURNS)


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    assert frame["t"].is_sorted()
    assert frame["window_start"].n_unique() == 1
    n = pl.col("n")
    return frame.select(
        requests=pl.len().cast(pl.Int64), total=n.sum(), first=n.first(), last_n=n.last()
    )


class Applying(windows.Subtasks):
    """Subtasks that apply a function."""

    def __init__(self, harness: Any, step: WindowApply) -> None:
        self.harness, self.step, self.attempt, self.late_rows = harness, step, 1, 0
        self.out: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.asked, self.pre_aggregated = step, False
        self.tasks = [harness(step, index=i, parallelism=2) for i in range(2)]


@settings(max_examples=12, deadline=None)
@given(windows.EVENTS, windows.WINDOWS, st.sampled_from([1, 100_000]))
def test_windows_give_their_rows_in_order(
    harness: Any, events: list[Any], window: Window, at_once: int
) -> None:
    step = WindowApply(("ip",), window, summary, RETURNS)
    subtasks, oracle, places = Applying(harness, step), windows.Oracle(window), count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window_slices, "SLICE_ROWS", at_once)
        patch.setattr(applied, "WINDOWS", min(at_once, 2))
        for event in [*events, END_OF_TIME]:
            if isinstance(event, str):
                wide = len(subtasks.tasks)
                subtasks.restart(wide if event == "snapshot" else 5 - wide)
            elif isinstance(event, int):
                subtasks.to(event)
                oracle.to(event)
            else:
                rows = windows.placed(event, places)
                subtasks.rows(rows)
                for row in rows:
                    oracle.row(row)
    subtasks.collect()
    expected = [{name: row[name] for name in MADE} for row in oracle.out]
    assert windows.canonical(subtasks.out) == windows.canonical(expected)
    assert windows.canonical(subtasks.late) == windows.canonical(oracle.late)


def of_session(frame: pl.DataFrame) -> pl.DataFrame:
    n = pl.col("n")
    return frame.select(
        n=pl.len().cast(pl.Int64), total=n.sum(), big=(n > 1).sum().cast(pl.Int64),
        last=n.last(), most=n.max(),
    )  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(sessions.EVENTS, st.sampled_from([10, 25]), st.sampled_from([0, 0, 5, 40]))
def test_sessions_give_their_rows_in_order(
    harness: Any, events: list[Any], gap: int, lateness: int
) -> None:
    window, places = Session(gap), count()
    returns = dict.fromkeys(("n", "total", "big", "last", "most"), "int")
    step = WindowApply(("k",), window, of_session, returns, lateness)
    subtasks, oracle = sessions.Subtasks(harness, step), sessions.Oracle(window, lateness)
    for event in [*events, END_OF_TIME]:
        if isinstance(event, str):
            wide = len(subtasks.tasks)
            subtasks.restart(wide if event == "restart" else 5 - wide)
        elif isinstance(event, int):
            subtasks.to(event)
            oracle.to(event)
        else:
            rows = [{**row, "place": next(places)} for row in event]
            subtasks.batch(rows)
            oracle.batch(rows)
        subtasks.collect()
    assert sessions.canonical(subtasks.out) == sessions.canonical(oracle.out)
    late = [{n: row[n] for n in sessions.KINDS} for row in oracle.late]
    assert sessions.canonical(subtasks.late) == sessions.canonical(late)


def test_rows_of_a_session_that_is_over_are_in_no_later_one(harness: Any) -> None:
    """A row that is only on time as it joins an open session may begin before one that is over."""
    returns = dict.fromkeys(("n", "total", "big", "last", "most"), "int")
    step = WindowApply(("k",), Session(10), of_session, returns)
    subtasks = sessions.Subtasks(harness, step)
    for place, event in enumerate([0, "to 11", 5, "restart", -3]):
        if event == "restart":
            subtasks.restart(3)
        elif isinstance(event, str):
            subtasks.to(11)
        else:
            subtasks.batch([{"k": "a", "t": event, "n": 1, "gap": 10, "place": place}])
    subtasks.to(END_OF_TIME)
    subtasks.collect()
    made = [(row["window_start"], row["window_end"], row["n"]) for row in subtasks.out]
    assert made == [(0, 10, 1), (-3, 15, 2)]


@pytest.mark.parametrize("window", [Tumbling(1000), Session(1000)])
def test_rows_of_closed_windows_go(harness: Any, window: Any) -> None:
    task = harness(WindowApply((), window, lambda frame: frame.select("n"), {"n": "int"}))
    for time in range(0, 40_000, 4000):
        task.process([{"n": time}], time=time)
        task.operator.on_watermark(Watermark(time + 2000))
    assert [row["n"] for row in task.take()] == list(range(0, 40_000, 4000))
    assert len(task.operator._rows.table.table) <= 2


def failing(frame: pl.DataFrame) -> pl.DataFrame:
    if frame["n"].sum() > 5:
        raise ValueError("too much")
    return frame.select("n")


def test_all_rows_of_a_window_whose_function_raises_go_by_the_policy(harness: Any) -> None:
    rows = [{"k": "a", "n": 1}, {"k": "b", "n": 4}, {"k": "b", "n": 3}]
    step = WindowApply(("k",), Tumbling(10), failing, {"n": "int"})
    with pytest.raises(UserCodeError, match="ValueError: too much, in the row") as caught:
        harness(step).process(rows).operator.on_watermark(Watermark(10))
    assert "test_window_apply.py" in caught.value.where
    task = harness(step.but(errors=ErrorPolicy.DLQ)).process(rows)
    task.operator.on_watermark(Watermark(10))
    assert task.take() == [{"k": "a", "window_start": 0, "window_end": 10, "n": 1}]
    assert [row["value"] for row in task.take("errors")] == [
        b'{"k": "b", "n": 4}',
        b'{"k": "b", "n": 3}',
    ]


def test_what_is_returned_must_be_a_frame_with_the_columns(harness: Any) -> None:
    step = WindowApply((), Tumbling(10), lambda frame: frame.height, {"n": "int"})
    with pytest.raises(UserCodeError, match="the function gave int, not a frame"):
        harness(step).process([{"n": 1}]).operator.on_watermark(Watermark(10))
    wider = step.but(function=lambda frame: frame.select(n=pl.col("n").cast(pl.Int8)))
    task = harness(wider).process([{"n": 1}])
    task.operator.on_watermark(Watermark(10))
    assert task.take() == [{"window_start": 0, "window_end": 10, "n": 1}]


def test_state_without_new_rows_is_applied_after_a_restore(harness: Any) -> None:
    step = WindowApply(("k",), Session(10), lambda frame: frame.select("n"), {"n": "int"})
    state = harness(step).process([{"k": "a", "n": 4}]).operator.snapshot(1, final=False)
    again = harness(step, attempt=2, restored=Restored([state], False))
    again.operator.on_watermark(Watermark(END_OF_TIME))
    assert [row["n"] for row in again.take()] == [4]


def bids() -> rs.Stream:
    rows = [{"ts": t, "item": i, "price": p} for t, i, p in [(5, "a", 7), (2, "b", 1), (1, "a", 3)]]
    return rs.Pipeline("apply").read(rs.Rows(rows), event_time="ts")


def best(frame: pl.DataFrame) -> pl.DataFrame:
    """The two highest bids, with their ranks."""
    first = frame.sort("price", descending=True).head(2)
    return first.select("item", "price", rank=pl.int_range(1, pl.len() + 1))


def test_the_first_rows_of_each_window_are_only_added() -> None:
    returns = {"item": "string", "price": "int", "rank": "int"}
    top = bids().window(rs.tumbling("1m")).apply(best, schema=returns)
    assert top.collect().rows() == [(0, 60_000, "a", 7, 1), (0, 60_000, "a", 3, 2)]
    again = top.window(rs.tumbling("1m")).agg(n=rs.count())
    assert again.collect().rows() == [(0, 60_000, 2)]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda s: s.window(rs.count_window(2)).apply(best, schema={"n": "int"}), "leave emit out"),
        (
            lambda s: s.window(rs.tumbling("1m"), emit="on_update").apply(
                best, schema={"n": "int"}
            ),
            "emitted when they close",
        ),
        (
            lambda s: s.window(rs.session("price")).apply(best, schema={"n": "int"}),
            "sessions with a fixed gap",
        ),
        (lambda s: s.window(rs.tumbling("1m")).apply("best", schema={"n": "int"}), "apply takes"),
    ],
)
def test_what_cannot_be_is_told_at_the_users_line(build: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        build(bids())
    assert "test_window_apply.py" in str(caught.value)


def test_columns_are_told() -> None:
    columns = Schema.of({"k": "string", "n": "int"})
    step = WindowApply(("k",), Tumbling(10), len, {"m": "float"})
    assert output_schema(step, [columns]).names() == ["k", "window_start", "window_end", "m"]
    with pytest.raises(ConfigurationError, match="the output has a column 'k' already"):
        output_schema(step.but(returns={"k": "string"}), [columns])
