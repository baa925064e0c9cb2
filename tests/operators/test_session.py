"""Sessions against plain Python: disorder, late rows that bridge, restarts, rescales."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import ORDER, TIME
from raystream.data.changes import CHANGE, RowKind
from raystream.data.hashing import partition
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.graph.policies import Early, ErrorPolicy, OnUpdate
from raystream.graph.windows import Session
from raystream.operators.operator import Restored, StepState
from raystream.operators.session import operator as session_operator
from raystream.time.watermark import END_OF_TIME, Idle, Watermark
from tests.operators.restarts import restarted
from tests.steps import SessionAggregate, output_schema

KINDS = {"k": pl.String(), "t": pl.Int64(), "n": pl.Int64(), "gap": pl.Int64()}
COLUMNS = Schema(KINDS, frozenset(), ())
ASKED = {
    "n": rs.count(),
    "total": rs.sum("n"),
    "big": rs.count(where="n > 1"),
    "last": rs.last("n"),
    "most": rs.max("n"),
}
ROW = st.fixed_dictionaries(
    {
        "k": st.sampled_from(["a", "b", None]),
        "t": st.integers(-20, 120),
        "n": st.none() | st.integers(-3, 6),
        "gap": st.integers(1, 30),
    }
)
EVENTS = st.lists(
    st.lists(ROW, min_size=1, max_size=6)
    | st.integers(-20, 150)
    | st.sampled_from(["restart", "rescale"]),
    max_size=8,
)


@dataclass
class Kept:
    """A session: rows, start and reach."""

    key: Any
    start: int
    reach: int
    rows: list[dict[str, Any]] = field(default_factory=list)


class Oracle:
    """Interval by interval."""

    def __init__(self, window: Session, lateness: int) -> None:
        self.window, self.lateness, self.watermark = window, lateness, -(2**62)
        self.sessions: list[Kept] = []
        self.gone: list[Kept] = []
        self.out: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []

    def batch(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            reach = row["t"] + (self.window.gap_ms or row["gap"])
            new = Kept(row["k"], row["t"], reach, [row])
            touching = [s for s in self.sessions if self._touch(s, new)]
            for one in touching:
                self.sessions.remove(one)
                new = Kept(
                    new.key, min(new.start, one.start), max(new.reach, one.reach),
                    [*one.rows, *new.rows],
                )  # fmt: skip
            self.sessions.append(new)
        fresh = {row["place"] for row in rows}
        for one in list(self.sessions):
            mine = [row for row in one.rows if row["place"] in fresh]
            if one.reach + self.lateness < self.watermark:
                self.sessions.remove(one)
                self.late += mine
            elif mine and one.reach < self.watermark:
                self.emit(one)

    def to(self, watermark: int) -> None:
        before, self.watermark = self.watermark, max(watermark, self.watermark)
        for one in self.sessions:
            if before <= one.reach < self.watermark:
                self.emit(one)
        self.gone += [s for s in self.sessions if s.reach + self.lateness < self.watermark]
        self.sessions = [s for s in self.sessions if s.reach + self.lateness >= self.watermark]

    def sessions_ever(self) -> list[dict[str, Any]]:
        return [self.row(one) for one in [*self.gone, *self.sessions]]

    def emit(self, one: Kept) -> None:
        self.out.append(self.row(one))

    def row(self, one: Kept) -> dict[str, Any]:
        n = [row["n"] for row in one.rows if row["n"] is not None]
        newest = max(one.rows, key=lambda row: (row["t"], row["place"]))
        made = {"n": len(one.rows), "total": sum(n), "big": sum(v > 1 for v in n)}
        bounds = {"k": one.key, "window_start": one.start, "window_end": one.reach}
        return {**bounds, **made, "last": newest["n"], "most": max(n, default=None)}

    def _touch(self, one: Kept, new: Kept) -> bool:
        return one.key == new.key and new.start <= one.reach and one.start <= new.reach


class Subtasks:
    """Sessions behind a hash exchange."""

    def __init__(self, harness: Any, step: SessionAggregate, *, hidden: bool = False) -> None:
        self.harness, self.step, self.attempt, self.hidden = harness, step, 1, hidden
        self.out: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.tasks = [harness(step, index=i, parallelism=2) for i in range(2)]

    def batch(self, rows: list[dict[str, Any]]) -> None:
        schema = {**KINDS, "place": pl.Int128()}
        frame = pl.DataFrame(rows, schema=schema).rename({"place": ORDER})
        frame = frame.with_columns(pl.col("t").alias(TIME))
        parts = partition(frame, ["k"], len(self.tasks))
        for task, part in zip(self.tasks, parts, strict=True):
            if part is not None:
                task.process(part)

    def to(self, watermark: int) -> None:
        for task in self.tasks:
            task.operator.on_watermark(Watermark(watermark))

    def pass_time(self, seconds: float) -> None:
        self.collect()
        for task in self.tasks:
            task.clock.advance(seconds)
            task.operator.on_time(task.clock.now())

    def restart(self, parallelism: int) -> None:
        self.collect()
        self.attempt += 1
        self.tasks = restarted(self.harness, self.step, self.tasks, self.attempt, parallelism)

    def collect(self) -> None:
        for task in self.tasks:
            while task.operator.has_more():
                task.operator.proceed()
            self.out += task.take(hidden=self.hidden)
            self.late += task.take("late")


def canonical(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def one(t: int, k: str | None = "a") -> dict[str, Any]:
    return {"k": k, "t": t, "n": 1, "gap": 10}


@settings(max_examples=20, deadline=None)
@given(
    EVENTS,
    st.sampled_from([Session(10), Session(25), Session(column="gap")]),
    st.sampled_from([0, 0, 5, 40]),
    st.booleans(),
    st.sampled_from([1, 100]),
)
@example([[one(0), one(20)], 25, [one(10)]], Session(10), 0, True, 100)  # late, bridges two
@example([[one(0)], [one(10)], 20, [one(20)]], Session(10), 0, False, 1)  # exactly one gap apart
@example([[one(0)], 15, "rescale", [one(8)], 90, [one(9)]], Session(10), 40, True, 1)
def test_same_as_plain_python(
    harness: Any, events: list[Any], window: Session, lateness: int, known: bool, at_once: int
) -> None:
    step = SessionAggregate(("k",), window, ASKED, allowed_lateness_ms=lateness)
    step = replace(step, columns=COLUMNS) if known else step
    subtasks, oracle, places = Subtasks(harness, step), Oracle(window, lateness), count()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_operator, "SLICE_ROWS", at_once)
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
    assert canonical(subtasks.out) == canonical(oracle.out)
    late = [{n: row[n] for n in KINDS} for row in oracle.late]
    assert canonical(subtasks.late) == canonical(late)


@settings(max_examples=8, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_order_and_batches_do_not_matter_to_rows_on_time(
    harness: Any, rows: list[dict[str, Any]], random: Any
) -> None:
    step = SessionAggregate(("k",), Session(10), ASKED)
    found = []
    placed = [{**row, "place": place} for place, row in enumerate(rows)]
    for _ in range(2):
        subtasks = Subtasks(harness, step)
        random.shuffle(placed)
        cut = random.randrange(len(placed) + 1)
        for part in (placed[:cut], placed[cut:]):
            if part:
                subtasks.batch(part)
        subtasks.to(END_OF_TIME)
        subtasks.collect()
        found.append(canonical(subtasks.out))
    assert found[0] == found[1]


def test_a_session_is_open_while_a_row_can_still_come_on_time(harness: Any) -> None:
    task = harness(SessionAggregate(("k",), Session(10), {"n": rs.count()}))
    task.process([{"k": "a"}], time=0)
    task.operator.on_watermark(Watermark(10))
    task.operator.on_watermark(Idle())
    assert task.take() == []
    assert task.operator.hands_on(Watermark(10)) == Watermark(9), "its row will have the time 9"
    task.operator.on_watermark(Watermark(11))
    assert task.take(hidden=True) == [
        {"k": "a", "window_start": 0, "window_end": 10, "n": 1, TIME: 9}
    ]


def test_without_a_key_all_rows_are_of_one_sequence(harness: Any) -> None:
    task = harness(SessionAggregate((), Session(10), {"n": rs.count()}))
    task.process([{"k": "a"}, {"k": "b"}, {"k": "c"}], time=pl.Series([0, 10, 21]))
    task.operator.on_watermark(Watermark(END_OF_TIME))
    assert [tuple(row.values()) for row in task.take()] == [(0, 20, 2), (21, 31, 1)]
    state = task.operator.snapshot(1, final=True)
    assert isinstance(state, StepState)
    assert state.header["watermark"] == 32
    step = SessionAggregate((), Session(10), {"n": rs.count()})
    again = harness(step, attempt=2, restored=Restored([state], False))
    again.process([{"k": "a"}], time=40)
    again.operator.on_watermark(Watermark(END_OF_TIME))
    assert [tuple(row.values()) for row in again.take()] == [(40, 50, 1)]


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (pl.Series([None], dtype=pl.Int64), "the gap 'gap' is null, not more than 0 ms"),
        (pl.Series([0]), "the gap 'gap' is 0, not more than 0 ms"),
        (pl.Series([timedelta(seconds=-1)]), "the gap 'gap' is -1000, not more than 0 ms"),
    ],
)
def test_a_row_without_a_gap_goes_by_the_policy(harness: Any, gap: pl.Series, said: str) -> None:
    step = SessionAggregate(("k",), Session(column="gap"), {"n": rs.count()})
    rows = pl.DataFrame({"k": ["a"], "gap": gap})
    with pytest.raises(DataError, match=said):
        harness(step).process(rows)
    skipping = harness(replace(step, errors=ErrorPolicy.SKIP)).process(rows)
    skipping.operator.on_watermark(Watermark(END_OF_TIME))
    assert skipping.take() == []


def test_gaps_may_be_durations(harness: Any) -> None:
    task = harness(SessionAggregate(("k",), Session(column="gap"), {"n": rs.count()}))
    gap = [timedelta(milliseconds=5), timedelta(milliseconds=1)]
    task.process(pl.DataFrame({"k": ["a", "a"], "gap": gap}), time=pl.Series([0, 5]))
    task.operator.on_watermark(Watermark(END_OF_TIME))
    assert [tuple(row.values()) for row in task.take()] == [("a", 0, 6, 2)]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (SessionAggregate(("ip",), Session(1), ASKED), "no column 'ip'"),
        (SessionAggregate(("k",), Session(column="gab"), ASKED), "no column 'gab'"),
        (SessionAggregate(("k",), Session(column="k"), ASKED), "the gap 'k' is String, not whole"),
        (
            SessionAggregate(("k",), Session(1), {"window_end": rs.count()}),
            "two output columns would be called 'window_end'",
        ),
    ],
)
def test_what_cannot_be_is_told(step: SessionAggregate, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        output_schema(step, [COLUMNS])


def test_columns_and_bounds_are_told() -> None:
    step = SessionAggregate(("k",), Session(1), ASKED)
    assert output_schema(step, [COLUMNS]).names() == ["k", "window_start", "window_end", *ASKED]


def materialised(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are left; each is taken back as it was given."""
    left: list[dict[str, Any]] = []
    for row in changes:
        kind = row.pop(CHANGE)
        if kind in (RowKind.UPDATE_BEFORE, RowKind.DELETE):
            left.remove(row)
        else:
            left.append(row)
    return left


@settings(max_examples=12, deadline=None)
@given(
    EVENTS,
    st.sampled_from([Session(10), Session(25), Session(column="gap")]),
    st.sampled_from([0, 0, 5, 40]),
    st.booleans(),
    st.sampled_from([1, 100]),
)
@example([[one(0), one(20)], "restart", [one(10)]], Session(10), 0, True, 100)  # two become one
@example([[one(0)], 15, "rescale", [one(8)], 90, [one(9)]], Session(10), 40, False, 1)
def test_changes_leave_the_sessions_as_they_are(
    harness: Any, events: list[Any], window: Session, lateness: int, early: bool, at_once: int
) -> None:
    emit = Early(1000) if early else OnUpdate()
    step = SessionAggregate(("k",), window, ASKED, lateness, columns=COLUMNS, emit=emit)
    subtasks, oracle, places = (
        Subtasks(harness, step, hidden=True),
        Oracle(window, lateness),
        count(),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_operator, "SLICE_ROWS", at_once)
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
            if early:
                subtasks.pass_time(1.0)
            subtasks.collect()
            found = materialised([dict(row) for row in subtasks.out])
            assert all(row.pop(TIME) == row["window_end"] - 1 for row in found)
            assert canonical(found) == canonical(oracle.sessions_ever())


def test_early_changes_come_once_per_interval_and_at_the_end(harness: Any) -> None:
    step = SessionAggregate(("k",), Session(10), {"n": rs.count()}, emit=Early(1000))
    task = harness(step)
    task.process([{"k": "a"}], time=0).process([{"k": "a"}], time=20)
    assert task.take() == []
    assert task.operator.deadline() == 1.0
    task.process([{"k": "a"}], time=10)  # joins both before anybody saw them
    task.operator.on_time(1.0)
    insert = {"k": "a", "window_start": 0, "window_end": 30, "n": 3}
    assert task.take() == [insert]
    assert task.operator.deadline() is None
    task.process([{"k": "a"}], time=25)
    task.operator.on_watermark(Watermark(36))
    assert task.take() == [insert, {**insert, "window_end": 35, "n": 4}]
    task.operator.on_time(2.0)
    assert task.take() == [], "its end has emitted it"


def test_changes_of_sessions_are_counted_right_by_an_aggregate_behind() -> None:
    rows = [{"u": u, "ts": ts} for u, ts in [("a", 0), ("a", 20), ("b", 0), ("a", 10), ("b", 90)]]
    clicks = rs.Pipeline("changes").read(rs.Rows(rows), event_time="ts").key_by("u")
    sessions = clicks.window(rs.session("10ms"), emit="on_update").agg(n=rs.count())
    totals = sessions.key_by().aggregate(sessions=rs.count(), clicks=rs.sum("n"))
    assert totals.collect().rows()[-1] == ("insert", 3, 5)


def test_a_gap_is_more_than_nothing() -> None:
    with pytest.raises(ConfigurationError, match="gap must be more than 0"):
        rs.session("0s")
    with pytest.raises(ConfigurationError, match="the gap is empty"):
        rs.session("")
