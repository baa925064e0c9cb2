"""Interval joins against plain Python: kinds, bounds, lateness, cuts, restarts, rescales."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.operators.joins import pairs
from raystream.operators.joins.kinds import JoinKind
from tests import steps
from tests.operators.joining import ON, Model, Row, Subtasks

KINDS = st.sampled_from(list(JoinKind))
LEFT = st.tuples(
    st.sampled_from([None, -1, 0, 1]), st.integers(0, 99), st.sampled_from([None, 3, 30, 60]),
    st.integers(0, 60),
)
RIGHT = st.tuples(st.sampled_from([None, -1, 0, 1]), st.integers(0, 99), st.integers(0, 60))
EVENT = st.one_of(
    st.tuples(st.just("left"), st.lists(LEFT, min_size=1, max_size=6)),
    st.tuples(st.just("right"), st.lists(RIGHT, min_size=1, max_size=6)),
    st.tuples(st.just("watermark"), st.integers(0, 25)),
    st.tuples(st.just("restart"), st.sampled_from([1, 2, 3])),
)


def played(subtasks: Subtasks, model: Model, events: list[tuple[str, Any]]) -> None:
    now = 0
    for what, value in events:
        if what == "watermark":
            now += value
            subtasks.watermark(now)
            model.watermark(now)
        elif what == "restart":
            subtasks.restart(value)
        else:
            port = ("left", "right").index(what)
            subtasks.process(port, value)
            model.process(port, value)
    subtasks.end()
    model.end()


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=repr)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "PIECE", 2)


@settings(max_examples=80)
@given(st.lists(EVENT, max_size=14), KINDS, st.tuples(st.integers(-20, 20), st.integers(0, 25)))
def test_constant_bounds(
    events: list[tuple[str, Any]], kind: JoinKind, bounds: tuple[int, int]
) -> None:
    low, high = bounds[0], bounds[0] + bounds[1]
    step = steps.IntervalJoin(ON, kind, low=low, high=high)
    kept = max(high, 0), max(-low, 0)
    subtasks = Subtasks(step, 2)
    model = Model(
        kind,
        lambda left: (left[-1] + low, left[-1] + high),
        lambda port, row: row[-1] + kept[port],
    )
    played(subtasks, model, events)
    assert in_order(subtasks.output.rows) == in_order(model.rows)
    assert subtasks.counted == len(subtasks.output.late)


BOUNDS = st.sampled_from([(0, "end"), (-10, "end"), (5, "end"), ("end", 20), ("a", "end")])


@settings(max_examples=80)
@given(st.lists(EVENT, max_size=14), KINDS, BOUNDS)
def test_bounds_that_are_columns(
    events: list[tuple[str, Any]], kind: JoinKind, bounds: tuple[int | str, int | str]
) -> None:
    low, high = bounds
    places = {"a": 1, "end": 2}

    def interval(left: Row) -> tuple[int, int] | None:
        first, last = (left[-1] + b if isinstance(b, int) else left[places[b]] for b in bounds)
        if first is None or last is None:
            return None
        return (max(first, left[-1]) if isinstance(low, str) else first), last

    def until(port: int, row: Row) -> int:
        if port:
            return int(row[-1] + (max(-low, 0) if isinstance(low, int) else 0))
        found = interval(row)
        return 2**61 if found is None else max(found[1], row[-1])

    now, on_time = 0, []
    for what, value in events:
        now += value if what == "watermark" else 0
        if what == "left" and kind.tracked(0):  # behind event time they may be late
            value = [row for row in value if row[-1] > now]
        on_time.append((what, value))
    subtasks = Subtasks(steps.IntervalJoin(ON, kind, low=low, high=high), 2)
    model = Model(kind, interval, until)
    played(subtasks, model, on_time)
    assert in_order(subtasks.output.rows) == in_order(model.rows)
