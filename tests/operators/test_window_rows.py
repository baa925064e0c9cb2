"""top and reduce of windows against plain Python over the rows of each window."""

from __future__ import annotations

import functools
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
from raystream.operators.window_apply import applied, fewer
from raystream.testing import CRASH, feed
from raystream.time.watermark import END_OF_TIME, Watermark
from raystream.verify.keyed import in_order
from tests.operators import test_session as sessions
from tests.operators import test_window_global as windows
from tests.operators.test_window_apply import Applying
from tests.steps import Order, WindowApply, WindowReduce, WindowTop

BY = (Order("n", descending=False), Order("t"))


COLUMNS = {"ip": pl.String(), "t": pl.Int64(), "n": pl.Int64(), "x": pl.Float64()}


def first_three(frame: pl.DataFrame) -> pl.DataFrame:
    """In plain Python."""
    rows = in_order(BY, frame.drop("ip", "window_start", "window_end").to_dicts())[:3]
    ranked = [{**row, "rank": place + 1} for place, row in enumerate(rows)]
    return pl.DataFrame(ranked, schema={**frame.select(rows[0].keys()).schema, "rank": pl.Int64()})


def less(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {**other, "n": (one["n"] or 0) - (other["n"] or 0)}


def reduced(frame: pl.DataFrame) -> pl.DataFrame:
    """In plain Python."""
    frame = frame.drop("ip", "window_start", "window_end")
    return pl.DataFrame([functools.reduce(less, frame.to_dicts())], schema=frame.schema)


def sums(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """In any order, as for rows that come behind the watermark."""
    least = min(one, other, key=lambda row: (row["t"], str(row["x"])))
    return {**least, "n": (one["n"] or 0) + (other["n"] or 0)}


def summed(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.drop("ip", "window_start", "window_end")
    return pl.DataFrame([functools.reduce(sums, frame.to_dicts())], schema=frame.schema)


@settings(max_examples=8, deadline=None)
@given(windows.EVENTS, windows.WINDOWS, st.sampled_from([0, 3, 4_096]), st.booleans())
def test_fewer_rows_are_kept_and_the_same_is_made_of_them(
    harness: Any, events: list[Any], window: Window, least: int, top: bool
) -> None:
    kinds = {**COLUMNS, "rank": pl.Int64()} if top else COLUMNS
    returns = {n: kind for n, kind in kinds.items() if n != "ip"}
    options: dict[str, Any] = {"columns": Schema(COLUMNS)}
    step = (
        WindowTop(("ip",), window, number=3, by=BY, rank="rank", **options)
        if top
        else WindowReduce(("ip",), window, reducer=sums, **options)
    )
    plain = WindowApply(("ip",), window, first_three if top else summed, returns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fewer, "LEAST", least)
        both = [given_by(Applying(harness, each), events) for each in (step, plain)]
    assert windows.canonical(both[0].out) == windows.canonical(both[1].out)
    assert windows.canonical(both[0].late) == windows.canonical(both[1].late)


@pytest.mark.parametrize("window", [Tumbling(100_000), Session(100)])
@pytest.mark.parametrize("top", [False, True])
def test_few_rows_of_open_windows_are_kept(harness: Any, window: Any, top: bool) -> None:
    columns = Schema({"k": pl.String(), "n": pl.Int64()})
    step = (
        WindowTop(("k",), window, number=2, by=BY[:1], columns=columns)
        if top
        else WindowReduce(("k",), window, reducer=counted, columns=columns)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fewer, "LEAST", 100)
        task = harness(step)
        for time in range(0, 5_000, 10):
            task.process([{"k": k, "n": (time * 7 + 1) % 999} for k in "ab"], time=time)
            task.operator.on_watermark(Watermark(time))
        assert len(task.operator._rows.table.table) <= 210
        task.operator.on_watermark(Watermark(END_OF_TIME))
    made = sorted((time * 7 + 1) % 999 for time in range(0, 5_000, 10))
    got = {k: [row["n"] for row in task.take() if row["k"] == k] for k in "a"}
    assert got == {"a": made[:2] if top else [made_of(range(0, 5_000, 10))]}


def counted(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {**other, "n": one["n"] * 3 % 1_000_003 + other["n"]}


def made_of(times: range) -> int:
    rows = ({"n": (time * 7 + 1) % 999} for time in times)
    return int(functools.reduce(counted, rows)["n"])


@settings(max_examples=8, deadline=None)
@given(windows.EVENTS, windows.WINDOWS, st.sampled_from([1, 2, 1000]), st.booleans())
def test_windows_give_what_plain_python_makes_of_their_rows(
    harness: Any, events: list[Any], window: Window, at_once: int, top: bool
) -> None:
    rank = {"rank": pl.Int64()} if top else {}
    returns = {n: kind for n, kind in {**COLUMNS, **rank}.items() if n != "ip"}
    options: dict[str, Any] = {"columns": Schema(COLUMNS)}
    step = (
        WindowTop(("ip",), window, number=3, by=BY, rank="rank", **options)
        if top
        else WindowReduce(("ip",), window, reducer=less, **options)
    )
    plain = WindowApply(("ip",), window, first_three if top else reduced, returns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(applied, "WINDOWS", at_once)
        both = [given_by(Applying(harness, each), events) for each in (step, plain)]
    assert windows.canonical(both[0].out) == windows.canonical(both[1].out)
    assert windows.canonical(both[0].late) == windows.canonical(both[1].late)


def given_by(subtasks: Applying, events: list[Any]) -> Applying:
    places = count()
    for event in [*events, END_OF_TIME]:
        if isinstance(event, str):
            wide = len(subtasks.tasks)
            subtasks.restart(wide if event == "snapshot" else 5 - wide)
        elif isinstance(event, int):
            subtasks.to(event)
        else:
            subtasks.rows(windows.placed(event, places))
    subtasks.collect()
    return subtasks


ROWS = [
    {"ts": 5, "k": "a", "n": 3.0},
    {"ts": 2, "k": "a", "n": None},
    {"ts": 1, "k": "b", "n": float("nan")},
    {"ts": 9, "k": "a", "n": 3.0},
    {"ts": 70_000, "k": "a", "n": -1.0},
]


def rows() -> rs.KeyedStream:
    return rs.Pipeline("rows").read(rs.Rows(ROWS), event_time="ts").key_by("k")


def test_the_first_rows_have_ranks_nulls_are_last() -> None:
    top = rows().window(rs.tumbling("1m")).top(2, by="n", rank="place")
    assert sorted(top.collect().select("k", "ts", "place").rows()) == [
        ("a", 5, 1), ("a", 9, 2), ("a", 70_000, 1), ("b", 1, 1),
    ]  # fmt: skip
    last = rows().window(rs.session("10s")).top(3, by=["n asc", "ts"])
    assert last.collect().filter(k="a")["ts"].to_list() == [9, 5, 2, 70_000]


def test_the_most_of_each_window_is_a_window_over_windows() -> None:
    counts = rows().window(rs.tumbling("1m")).agg(rows=rs.count())
    most = counts.key_by().window(rs.tumbling("1m")).top(1, by="rows")
    assert most.collect().rows() == [(0, 60_000, "a", 3), (60_000, 120_000, "a", 1)]


def latest(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return other


def test_a_window_is_reduced_in_the_order_of_event_time() -> None:
    found = rows().window(rs.tumbling("1m")).reduce(latest)
    assert sorted(found.collect().select("k", "ts").rows()) == [("a", 9), ("a", 70_000), ("b", 1)]


def test_rows_with_nothing_but_their_key_give_a_row_for_each_window() -> None:
    windows = rows().select("k").window(rs.tumbling("1m"))
    expected = [("a", 0), ("a", 60_000), ("b", 0)]
    for found in (windows.reduce(latest), windows.top(1, by="k")):
        assert sorted(found.collect().select("k", "window_start").rows()) == expected


@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_job_with_crashes_gives_each_window_once(parallelism: int) -> None:
    p = rs.Pipeline("rows")
    source = rs.Kafka("kafka:9092").topic("rows")
    read = p.read(source, event_time="ts", schema={"k": "string", "n": "int", "ts": "int"})
    windowed = read.key_by("k").window(rs.tumbling("10ms"))
    windowed.top(2, by="n", rank="place").write(rs.Collect(), name="top")
    read.key_by("k").window(rs.hopping("20ms", "10ms")).reduce(latest).write(
        rs.Collect(), name="latest"
    )
    given: list[Any] = [{"k": "ab"[i % 2], "n": i * 7 % 11, "ts": i} for i in range(40)]
    expected = [
        (k, start, row["n"], place + 1)
        for k in "ab"
        for start in range(0, 40, 10)
        for place, row in enumerate(
            sorted(
                (r for r in given if r["k"] == k and start <= r["ts"] < start + 10),
                key=lambda row: -row["n"],
            )[:2]
        )
    ]
    for at in (25, 11):
        given.insert(at, CRASH)
    found = feed(p, {"rows": given}, parallelism=parallelism)
    names = ("k", "window_start", "n", "place")
    assert sorted(tuple(row[n] for n in names) for row in found["top"]) == sorted(expected)
    assert sorted((row["k"], row["window_start"], row["ts"]) for row in found["latest"]) == sorted(
        (k, start, min(39 - (k == "a"), start + 19 - (k == "a")))
        for k in "ab"
        for start in range(-10, 40, 10)
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda one, other: 5, "the function gave int, not a dict"),
        (lambda one, other: {"n": "x"}, "column 'n': 'x' is not Int64"),
        (lambda one, other: {"m": 1}, "column 'm' is not in the schema"),
        (lambda one, other: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_what_a_reducer_may_not_give_is_told_at_its_line(
    harness: Any, function: Any, said: str
) -> None:
    schema = Schema({"k": pl.String(), "n": pl.Int64()})
    step = WindowReduce(("k",), Tumbling(10), reducer=function, columns=schema)
    two = [{"k": "a", "n": 1}, {"k": "a", "n": 2}, {"k": "b", "n": 3}]
    with pytest.raises(UserCodeError, match=said) as caught:
        harness(step).process(two).operator.on_watermark(Watermark(10))
    assert "test_window_rows.py" in caught.value.where
    task = harness(step.but(errors=ErrorPolicy.DLQ)).process(two)
    task.operator.on_watermark(Watermark(10))
    assert [row["k"] for row in task.take()] == ["b"]
    assert len(task.take("errors")) == 2


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda s: s.window(rs.count_window(2)).top(1, by="n"), "top is for windows of event time"),
        (lambda s: s.window(rs.count_window(2)).reduce(latest), "reduce is for windows of event"),
        (lambda s: s.window(rs.tumbling("1m")).top(0, by="n"), "takes 1 row or more"),
        (lambda s: s.window(rs.tumbling("1m")).top(1, by=[]), "needs an order"),
        (lambda s: s.window(rs.tumbling("1m")).top(1, by="m").collect(), "'m'"),
        (lambda s: s.window(rs.tumbling("1m")).top(1, by="n", rank="n").collect(), "already"),
        (lambda s: s.window(rs.tumbling("1m")).reduce(5), "reduce takes a function"),
    ],
)
def test_mistakes_are_told(build: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        build(rows())


def test_sessions_are_windows_like_others(harness: Any) -> None:
    schema = Schema({"k": pl.String(), "n": pl.Int64()})
    step = WindowTop(("k",), Session(10), number=1, by=(Order("n"),), columns=schema)
    task = harness(step)
    for time in (0, 8, 30):
        task.process([{"k": "a", "n": time % 10}], time=time)
    task.operator.on_watermark(Watermark(END_OF_TIME))
    while task.operator.has_more():
        task.operator.proceed()
    assert [(r["window_start"], r["window_end"], r["n"]) for r in task.take()] == [
        (0, 18, 8), (30, 40, 0),
    ]  # fmt: skip


KINDS = {name: kind for name, kind in sessions.KINDS.items() if name != "k"}
FIRST = (Order("n", descending=False),)


def first_two(frame: pl.DataFrame) -> pl.DataFrame:
    """In plain Python."""
    rows = in_order(FIRST, frame.drop("k", "window_start", "window_end").to_dicts())[:2]
    return pl.DataFrame(rows, schema=KINDS)


def added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {**one, "n": (one["n"] or 0) + (other["n"] or 0), "t": 0, "gap": 0}


def all_added(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.drop("k", "window_start", "window_end")
    return pl.DataFrame([functools.reduce(added, frame.to_dicts())], schema=KINDS)


@settings(max_examples=8, deadline=None)
@given(sessions.EVENTS, st.sampled_from([10, 25]), st.sampled_from([0, 5, 40]), st.booleans())
def test_fewer_rows_of_sessions_are_kept_and_the_same_is_made_of_them(
    harness: Any, events: list[Any], gap: int, lateness: int, top: bool
) -> None:
    options: dict[str, Any] = {"columns": sessions.COLUMNS, "allowed_lateness_ms": lateness}
    step = (
        WindowTop(("k",), Session(gap), number=2, by=FIRST, **options)
        if top
        else WindowReduce(("k",), Session(gap), reducer=added, **options)
    )
    function = first_two if top else all_added
    plain = WindowApply(("k",), Session(gap), function, KINDS, lateness)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fewer, "LEAST", 0)
        got, expected = (of_sessions(sessions.Subtasks(harness, s), events) for s in (step, plain))
    assert got == expected


def of_sessions(subtasks: Any, events: list[Any]) -> list[Any]:
    places = count()
    for event in [*events, END_OF_TIME]:
        if isinstance(event, str):
            wide = len(subtasks.tasks)
            subtasks.restart(wide if event == "restart" else 5 - wide)
        elif isinstance(event, int):
            subtasks.to(event)
        else:
            subtasks.batch([{**row, "place": next(places)} for row in event])
        subtasks.collect()
    return [sessions.canonical(subtasks.out), sessions.canonical(subtasks.late)]
