"""Taps: bounded in rows, bytes and time, and gone when nobody looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.runtime.chain import StepOutput
from raystream.runtime.exchange import Outputs
from raystream.runtime.tail import AT_ONCE, KEPT_BYTES, KEPT_ROWS, LOOKS_S, PER_SECOND, Taps
from raystream.time.clock import VirtualClock


class Stage:
    """One link with a tap behind it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.link = StepOutput("count", Outputs([]), lambda *_: None, None)
        self.taps = Taps({"count": self.link}, self.clock)
        self._mark: Any = None
        self._next = 0

    def emit(self, rows: int, value: str = "x") -> None:
        numbers = range(self._next, self._next + rows)
        self._next += rows
        columns = {"n": numbers, "value": [value] * rows, TIME: [0] * rows}
        self.link.emit(Batch(pl.DataFrame(columns)))

    def look(self) -> Sequence[dict[str, Any]]:
        rows, self._mark = self.taps.since("count", self._mark)
        return rows


def test_the_first_look_begins_and_every_row_is_seen_while_there_are_few() -> None:
    stage = Stage()
    stage.emit(3)
    assert stage.link.tap is None
    assert stage.look() == []
    for _ in range(20):
        stage.emit(10)
        stage.clock.advance(0.1)
        assert len(stage.look()) == 10
    assert stage.look() == []
    stage.emit(1)
    assert stage.look() == [{"n": 203, "value": "x"}]


def test_of_many_rows_a_sample_spread_over_the_batch() -> None:
    stage = Stage()
    stage.look()
    stage.emit(100_000)
    numbers = [row["n"] for row in stage.look()]
    assert len(numbers) == AT_ONCE
    assert numbers == sorted(numbers)
    assert numbers[-1] > 90_000
    for _ in range(1000):  # 10 s of 100,000 rows in a second
        stage.emit(1000)
        stage.clock.advance(0.01)
    assert len(stage.look()) <= KEPT_ROWS


def test_memory_is_bounded_also_where_rows_are_large() -> None:
    stage = Stage()
    stage.look()
    for _ in range(50):
        stage.emit(20, "x" * 100_000)
        stage.clock.advance(1)
    assert sum(len(row["value"]) for row in stage.look()) <= KEPT_BYTES * 1.5


def test_whoever_looks_no_more_is_forgotten() -> None:
    stage = Stage()
    stage.look()
    stage.clock.advance(LOOKS_S + 1)
    stage.emit(1)
    assert stage.link.tap is None
    stage.emit(1)
    assert stage.look() == []  # begins anew; the old mark is of another tap
    stage.emit(1)
    assert [row["n"] for row in stage.look()] == [2]


def test_two_who_look_see_the_same() -> None:
    stage, other = Stage(), None
    stage.look()
    _, other = stage.taps.since("count", other)
    stage.emit(5)
    assert len(stage.look()) == 5
    assert len(stage.taps.since("count", other)[0]) == 5


def test_steps_of_other_subtasks_are_unknown_here() -> None:
    assert Stage().taps.since("read", None) == ([], None)


def test_credit_comes_back_with_time() -> None:
    stage = Stage()
    stage.look()
    stage.emit(AT_ONCE)
    stage.emit(AT_ONCE)
    assert len(stage.look()) == AT_ONCE
    stage.clock.advance(100 / PER_SECOND)
    stage.emit(AT_ONCE)
    assert 99 <= len(stage.look()) <= 101
