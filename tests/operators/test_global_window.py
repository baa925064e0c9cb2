"""Windows of counted rows, and triggers, against plain Python."""

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
from raystream.errors import ConfigurationError
from raystream.graph.policies import ErrorPolicy
from raystream.graph.windows import CountWindow, GlobalWindow, Trigger
from raystream.operators.global_window import operator as global_operator
from raystream.operators.operator import Restored
from raystream.time.watermark import END_OF_TIME, Watermark
from raystream.verify.rows import TIME as ORACLE_TIME
from raystream.verify.windows import global_aggregate
from tests.operators.restarts import restarted
from tests.steps import GlobalAggregate, output_schema

KINDS = {"k": pl.String(), "t": pl.Int64(), "n": pl.Int64()}
COLUMNS = Schema(KINDS, frozenset(), ())
ASKED = {
    "rows": rs.count(),
    "total": rs.sum("n"),
    "big": rs.count(where="n > 1"),
    "least": rs.min("n"),
    "last": rs.last("n"),
    "kinds": rs.count_distinct("n"),
}
ROW = st.fixed_dictionaries(
    {
        "k": st.sampled_from(["a", "a", "b", None]),
        "t": st.integers(-20, 60),
        "n": st.none() | st.integers(-3, 6),
    }
)
EVENTS = st.lists(
    st.lists(ROW, min_size=1, max_size=9)
    | st.integers(-20, 80)
    | st.sampled_from(["restart", "rescale"]),
    max_size=9,
)
WINDOWS = [
    CountWindow(1),
    CountWindow(3),
    CountWindow(4, 2),
    CountWindow(3, 1),
    GlobalWindow(Trigger(2)),
    GlobalWindow(Trigger(3, purge=True)),
]


class Subtasks:
    """Behind a hash exchange."""

    def __init__(self, harness: Any, step: GlobalAggregate) -> None:
        self.harness, self.step, self.attempt, self.places = harness, step, 1, count()
        self.out: list[dict[str, Any]] = []
        self.tasks = [harness(step, index=i, parallelism=2) for i in range(2)]

    def batch(self, rows: list[dict[str, Any]]) -> None:
        places = [next(self.places) for _ in rows]
        frame = pl.DataFrame(rows, schema=KINDS).with_columns(
            pl.col("t").alias(TIME), pl.Series(ORDER, places, pl.Int128())
        )
        for task, part in zip(
            self.tasks, partition(frame, list(self.step.keys), len(self.tasks)), strict=True
        ):
            if part is not None:
                task.process(part)

    def to(self, watermark: int) -> None:
        for task in self.tasks:
            task.operator.on_watermark(Watermark(watermark))

    def restart(self, width: int) -> None:
        self.collect()
        self.attempt += 1
        self.tasks = restarted(self.harness, self.step, self.tasks, self.attempt, width)

    def pass_time(self, seconds: float) -> None:
        self.collect()
        for task in self.tasks:
            task.clock.advance(seconds)
            task.operator.on_time(task.clock.now())
        self.collect()

    def collect(self) -> None:
        for task in self.tasks:
            while task.operator.has_more():
                task.operator.proceed()
            self.out += task.take()


def one(n: int, t: int = 0, k: str | None = "a") -> dict[str, Any]:
    return {"k": k, "t": t, "n": n}


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def run(subtasks: Subtasks, events: list[Any]) -> list[dict[str, Any]]:
    """The rows that came."""
    came = []
    for event in [*events, END_OF_TIME]:
        if isinstance(event, str):
            wide = len(subtasks.tasks)
            subtasks.restart(wide if event == "restart" else 5 - wide)
        elif isinstance(event, int):
            subtasks.to(event)
        else:
            subtasks.batch(event)
            came += event
        subtasks.collect()
    return came


@settings(max_examples=10, deadline=None)
@given(EVENTS, st.sampled_from(WINDOWS), st.booleans(), st.sampled_from([1, 1000]))
@example([[one(1), one(2)], "rescale", [one(3), one(4), one(5)]], WINDOWS[2], True, 1)
@example([[one(n) for n in range(9)], [one(9)]], WINDOWS[4], False, 1)
def test_same_as_plain_python(
    harness: Any, events: list[Any], window: Any, known: bool, at_once: int
) -> None:
    step = GlobalAggregate(("k",), window, ASKED, columns=COLUMNS if known else None)
    subtasks = Subtasks(harness, step)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(global_operator, "PIECE", at_once)
        came = run(subtasks, events)
    expected = global_aggregate(step, [{**row, ORACLE_TIME: row["t"]} for row in came])
    for row in expected:
        row.pop(ORACLE_TIME)
    assert canonical(subtasks.out) == canonical(expected)


@settings(max_examples=6, deadline=None)
@given(EVENTS, st.booleans())
def test_a_trigger_of_the_clock_tells_all_once(
    harness: Any, events: list[Any], purge: bool
) -> None:
    step = GlobalAggregate(("k",), GlobalWindow(Trigger(None, 1000, purge)), ASKED)
    subtasks = Subtasks(harness, step)
    times = [e for event in events for e in (event, "tick")]
    came: list[dict[str, Any]] = []
    for event in times:
        if event == "tick":
            subtasks.pass_time(1.0)
        elif isinstance(event, str):
            subtasks.restart(3 - len(subtasks.tasks) if event == "rescale" else 2)
        elif isinstance(event, list):
            subtasks.batch(event)
            came += event
    run(subtasks, [])
    for key in {row["k"] for row in came}:
        rows = [row for row in came if row["k"] == key]
        told = [row["rows"] for row in subtasks.out if row["k"] == key]
        assert (sum(told) if purge else told[-1]) == len(rows)
        assert purge or told == sorted(set(told)), "a key without news is not told again"


def test_bounds_are_the_event_times_of_the_rows(harness: Any) -> None:
    task = harness(GlobalAggregate((), CountWindow(2), {"n": rs.count()}))
    task.process([{"k": "a"}, {"k": "b"}, {"k": "c"}], time=pl.Series([7, 3, 5]))
    assert task.take(hidden=True) == [{"window_start": 3, "window_end": 8, "n": 2, TIME: 7}]
    task.operator.on_watermark(Watermark(END_OF_TIME))
    task.operator.on_watermark(Watermark(END_OF_TIME))
    assert task.take() == [{"window_start": 5, "window_end": 6, "n": 1}]


def test_what_the_end_emits_is_not_counted_again_unless_the_window_goes_on(harness: Any) -> None:
    for window, then in [(CountWindow(3), 1), (GlobalWindow(Trigger(3)), 3)]:
        step = GlobalAggregate(("k",), window, {"n": rs.count()})
        task = harness(step).process([{"k": "a"}] * 2)
        task.operator.on_watermark(Watermark(END_OF_TIME))
        assert [row["n"] for row in task.take()] == [2]
        state = task.operator.snapshot(1, final=True)
        again = harness(step, attempt=2, restored=Restored([state], False))
        again.operator.on_watermark(Watermark(5))
        again.process([{"k": "a"}]).operator.on_watermark(Watermark(END_OF_TIME))
        assert [row["n"] for row in again.take()] == [then]


def test_a_restored_window_that_gets_no_row_is_emitted_at_the_end(harness: Any) -> None:
    step = GlobalAggregate(("k",), CountWindow(3), ASKED)
    state = harness(step).process([one(4)]).operator.snapshot(1, final=False)
    again = harness(step, attempt=2, restored=Restored([state], False))
    again.operator.on_watermark(Watermark(END_OF_TIME))
    assert [row["total"] for row in again.take()] == [4]


def test_a_key_without_rows_for_the_ttl_begins_anew(harness: Any) -> None:
    task = harness(GlobalAggregate(("k",), CountWindow(2, ttl_ms=10), {"n": rs.count()}))
    task.process([{"k": "a"}], time=0).process([{"k": "b"}], time=5)
    task.operator.on_watermark(Watermark(11))
    task.process([{"k": "a"}, {"k": "b"}], time=12)
    assert [(row["k"], row["n"]) for row in task.take()] == [("b", 2)]


def test_results_that_do_not_fit_go_by_the_policy(harness: Any) -> None:
    step = GlobalAggregate((), CountWindow(2), {"s": rs.sum("n")}, ErrorPolicy.SKIP)
    task = harness(step).process([{"n": 2**62}] * 3 + [{"n": 1}])
    assert [row["s"] for row in task.take()] == [2**62 + 1]
    assert task.counts == {"skipped_rows": 1}


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda s: rs.count_window(0), "count_window takes 1 row or more, not 0"),
        (lambda s: rs.count_window(10, slide=3), r"size \(10\) is not a multiple of slide \(3\)"),
        (lambda s: rs.trigger(), "trigger takes count= or every="),
        (lambda s: rs.trigger(count=1, every="1s"), "trigger takes count= or every="),
        (lambda s: rs.trigger(count=0), "trigger takes 1 row or more, not 0"),
        (
            lambda s: s.window(rs.count_window(3), emit="on_update"),
            "emit and allowed_lateness are for windows of event time",
        ),
        (
            lambda s: s.window(rs.count_window(3), allowed_lateness="1s"),
            "emit and allowed_lateness are for windows of event time",
        ),
        (
            lambda s: s.window(rs.count_window(3)).agg(window_end=rs.count()),
            "has a column 'window_end' already",
        ),
    ],
)
def test_what_cannot_be_is_told_at_the_users_line(build: Any, said: str) -> None:
    stream = rs.Pipeline("counted").read(rs.Rows([{"n": 1}]))
    with pytest.raises(ConfigurationError, match=said) as caught:
        build(stream)
    assert "test_global_window.py" in str(caught.value)


def test_columns_are_told() -> None:
    step = GlobalAggregate(("k",), CountWindow(2), ASKED)
    assert output_schema(step, [COLUMNS]).names() == ["k", "window_start", "window_end", *ASKED]
    with pytest.raises(ConfigurationError, match="no column 'ip'"):
        output_schema(GlobalAggregate(("ip",), CountWindow(2), ASKED), [COLUMNS])
