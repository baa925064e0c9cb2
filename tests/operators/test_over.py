"""Rows with those before them, against plain Python: disorder, cuts, restarts, rescales."""

from __future__ import annotations

from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import ORDER, TIME
from raystream.data.hashing import partition
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.graph.over import OverFunction
from raystream.graph.policies import ErrorPolicy
from raystream.operators.over import frames
from raystream.operators.over import operator as over_operator
from raystream.time.watermark import END_OF_TIME, Idle, Watermark
from raystream.verify.over import over
from raystream.verify.rows import TIME as ORACLE_TIME
from tests.operators.restarts import restarted
from tests.steps import Over, output_schema

KINDS = {"k": pl.String(), "t": pl.Int64(), "n": pl.Int64()}
COLUMNS = Schema(KINDS, frozenset(), ())
FRAMED: dict[str, OverFunction] = {
    "count": rs.count(),
    "big": rs.count(where="n > 1"),
    "total": rs.sum("n"),
    "most": rs.max("n * 2"),
    "first": rs.first("n"),
    "last": rs.last("n", where="n > 0"),
    "kinds": rs.count_distinct("n"),
}
ALONE: dict[str, OverFunction] = {
    "place": rs.row_number(),
    "before": rs.lag("n"),
    "third": rs.lag("n + 1", 3),
}
ROW = st.fixed_dictionaries(
    {
        "k": st.sampled_from(["a", "b", None]),
        "t": st.integers(-20, 60),
        "n": st.none() | st.integers(-3, 6),
    }
)
EVENTS = st.lists(
    st.lists(ROW, min_size=1, max_size=6)
    | st.integers(-20, 80)
    | st.sampled_from(["restart", "rescale"]),
    max_size=9,
)


class Subtasks:
    """Behind a hash exchange; late rows are those that time has passed."""

    def __init__(self, harness: Any, step: Over, placed: bool) -> None:
        self.harness, self.step, self.placed, self.attempt = harness, step, placed, 1
        self.watermark, self.places = -(2**62), count()
        self.taken: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.out: list[dict[str, Any]] = []
        self.late_out: list[dict[str, Any]] = []
        self.tasks = [harness(step, index=i, parallelism=2) for i in range(2)]

    def batch(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            (self.late if row["t"] < self.watermark else self.taken).append(row)
        frame = pl.DataFrame(rows, schema=KINDS).with_columns(pl.col("t").alias(TIME))
        if self.placed:
            numbers = [next(self.places) for _ in rows]
            frame = frame.with_columns(pl.Series(ORDER, numbers, pl.Int128()))
        for task, part in zip(
            self.tasks, partition(frame, list(self.step.keys), len(self.tasks)), strict=True
        ):
            if part is not None:
                task.process(part)

    def to(self, watermark: int) -> None:
        self.watermark = max(self.watermark, watermark)
        for task in self.tasks:
            task.operator.on_watermark(Watermark(watermark))

    def restart(self, width: int) -> None:
        self.collect()
        self.attempt += 1
        self.tasks = restarted(self.harness, self.step, self.tasks, self.attempt, width)

    def collect(self) -> None:
        for task in self.tasks:
            while task.operator.has_more():
                task.operator.proceed()
            self.out += task.take()
            self.late_out += task.take("late")


def one(t: int, n: int = 1, k: str | None = "a") -> dict[str, Any]:
    return {"k": k, "t": t, "n": n}


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


@settings(max_examples=15, deadline=None)
@given(
    EVENTS,
    st.sampled_from([{"rows": 1}, {"rows": 3}, {"range_ms": 5}, {"range_ms": 40}, {}]),
    st.sampled_from([None, None, 7, 30]),
    st.booleans(),
    st.sampled_from([1, 3, 1000]),
)
@example([[one(0), one(5)], 6, "rescale", [one(6), one(11)], 12, [one(11)]], {"range_ms": 5},
         None, True, 1)  # fmt: skip
@example([[one(0)], 1, [one(8), one(8, 2)], 90, [one(91)]], {"rows": 3}, 7, False, 1)
def test_same_as_plain_python(
    harness: Any,
    events: list[Any],
    frame: dict[str, int],
    ttl: int | None,
    known: bool,
    at_once: int,
) -> None:
    functions = {**FRAMED, **(ALONE if ttl is None or frame else {})}
    step = Over(("k",), functions, **frame, ttl_ms=ttl, columns=COLUMNS if known else None)
    subtasks = Subtasks(harness, step, placed=known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(over_operator, "PIECE", at_once)
        patch.setattr(frames, "PAIRS", at_once)
        for event in [*events, END_OF_TIME]:
            if isinstance(event, str):
                wide = len(subtasks.tasks)
                subtasks.restart(wide if event == "restart" else 5 - wide)
            elif isinstance(event, int):
                subtasks.to(event)
            else:
                subtasks.batch(event)
            subtasks.collect()
    expected = over(step, [{**row, ORACLE_TIME: row["t"]} for row in subtasks.taken])
    for row in expected:
        row.pop(ORACLE_TIME)
    assert canonical(subtasks.out) == canonical(expected)
    assert canonical(subtasks.late_out) == canonical(subtasks.late)


@settings(max_examples=6, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=15), st.randoms(use_true_random=False))
def test_neither_batches_nor_watermarks_matter_to_rows_on_time(
    harness: Any, rows: list[dict[str, Any]], random: Any
) -> None:
    step = Over(("k",), {**FRAMED, **ALONE}, rows=3)
    whole = sorted(rows, key=lambda row: row["t"])
    found = []
    for cuts in (False, True):
        subtasks = Subtasks(harness, step, placed=True)
        for row in whole:
            subtasks.batch([row])
            if cuts and random.random() < 0.5:
                subtasks.to(row["t"])
        subtasks.to(END_OF_TIME)
        subtasks.collect()
        found.append(canonical(subtasks.out))
    assert found[0] == found[1]


def test_a_row_goes_when_the_watermark_has_passed_it_in_order_with_its_time(harness: Any) -> None:
    task = harness(Over((), {"sum": rs.sum("n")}, range_ms=10))
    task.process([{"n": 1}, {"n": 2}, {"n": 4}], time=pl.Series([20, 7, 17]))
    task.operator.on_watermark(Watermark(17))
    task.operator.on_watermark(Idle())
    assert task.take(hidden=True) == [{"n": 2, "sum": 2, TIME: 7}]
    task.process([{"n": 8}], time=17).process([{"n": 16}], time=16)
    task.operator.on_watermark(Watermark(18))
    assert task.take() == [{"n": 4, "sum": 14}, {"n": 8, "sum": 14}], "equals see each other"
    assert (task.counts, task.take("late")) == ({"late_rows": 1}, [{"n": 16}])


def test_state_is_what_later_rows_look_back_at(harness: Any) -> None:
    task = harness(Over(("k",), {"sum": rs.sum("n")}, rows=3))
    for time in range(0, 20_000, 700):
        task.process([{"k": "a", "n": 1}], time=time)
        task.operator.on_watermark(Watermark(time + 1))
    assert task.operator._past.table.scan().height == 2
    assert len(task.operator._waiting.table) <= 2, "those of the last second"


def test_a_pause_longer_than_the_ttl_begins_anew_whatever_the_watermark_was(harness: Any) -> None:
    step = Over(("k",), {"place": rs.row_number()}, ttl_ms=10)
    times = [0, 10, 21]
    at_once, one_by_one = harness(step), harness(step)
    at_once.process([{"k": "a"}] * 3, time=pl.Series(times))
    for time in times:
        one_by_one.process([{"k": "a"}], time=time).operator.on_watermark(Watermark(time + 1))
    for task in (at_once, one_by_one):
        task.operator.on_watermark(Watermark(END_OF_TIME))
        assert [row["place"] for row in task.take()] == [1, 2, 1]


def test_results_that_do_not_fit_go_by_the_policy(harness: Any) -> None:
    step = Over((), {"sum": rs.sum("n")}, rows=2)
    rows = [{"n": 2**62}, {"n": 2**62}, {"n": 3}]
    failing = harness(step).process(rows)
    with pytest.raises(DataError, match="sum: the sum does not fit"):
        failing.operator.on_watermark(Watermark(END_OF_TIME))
    skipping = harness(Over((), step.functions, rows=2, errors=ErrorPolicy.SKIP)).process(rows)
    skipping.operator.on_watermark(Watermark(END_OF_TIME))
    assert skipping.take() == [{"n": 2**62, "sum": 2**62}, {"n": 3, "sum": 2**62 + 3}]


def bids() -> rs.Stream:
    rows = [{"ts": t, "item": i, "price": p} for t, i, p in [(5, "a", 7), (2, "b", 1), (1, "a", 3)]]
    return rs.Pipeline("over").read(rs.Rows(rows), event_time="ts")


def test_functions_of_the_row_and_windows_behind() -> None:
    doubled = rs.lag(lambda row: row["price"] * 2)
    above = bids().key_by("item").over(rows=2).agg(before=doubled, n=rs.count())
    assert above.collect().rows() == [(1, "a", 3, None, 1), (2, "b", 1, None, 1), (5, "a", 7, 6, 2)]
    hours = above.key_by("item").window(rs.tumbling("1h")).agg(n=rs.sum("n"), last=rs.max("before"))
    assert sorted(hours.drop("window_start", "window_end").collect().rows()) == [
        ("a", 3, 6),
        ("b", 1, None),
    ]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda s: s.over(rows=0), "over takes 1 row or more, not 0"),
        (lambda s: s.over(rows=1, range="1h"), "over takes rows= or range=, not both"),
        (lambda s: s.over(range="0s"), "range must be more than 0"),
        (lambda s: s.over(rows=1).agg(), "agg needs an output column"),
        (lambda s: s.over(rows=1).agg(n=1), r"takes an aggregate, rs.row_number\(\) or rs.lag"),
        (lambda s: s.over(rows=1).mean("n"), r"has no 'mean'; it is \.agg"),
        (lambda s: rs.lag("n", 0), "lag takes a row before, not 0"),
    ],
)
def test_what_cannot_be_is_told_at_the_users_line(build: Any, said: str) -> None:
    with pytest.raises((ConfigurationError, AttributeError), match=said) as caught:
        build(bids())
    if isinstance(caught.value, ConfigurationError):
        assert "test_over.py" in str(caught.value)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Over(("ip",), ALONE), "no column 'ip'"),
        (Over(("k",), {"n": rs.row_number()}), "agg: there is a column 'n' already"),
        (Over(("k",), {"s": rs.sum("k")}, rows=2), "s: sum of String"),
        (Over(("k",), {"s": rs.lag("m")}), "no column 'm'"),
    ],
)
def test_what_does_not_fit_the_columns_is_told(step: Over, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        output_schema(step, [COLUMNS])


def test_columns_are_told() -> None:
    found = output_schema(Over(("k",), {**FRAMED, **ALONE}, rows=2), [COLUMNS])
    assert found.names() == [*KINDS, *FRAMED, *ALONE]
    assert found.columns["third"] == pl.Int64()
    assert "place" in found.required
