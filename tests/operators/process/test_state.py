"""States and timers by the clock, and what is restored of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import TIME
from raystream.errors import ConfigurationError
from raystream.time.watermark import Watermark
from tests import steps
from tests.operators.process.subtasks import OUT, Machine, Subtasks, rows_of

# -- the clock -------------------------------------------------------------------------------------


class Clock(rs.Process):
    seen: rs.Value[int] = rs.state(ttl="10s", by="clock")

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        yield {"k": ctx.key, "x": self.seen.get(-1)}
        self.seen.set(row["x"])
        ctx.clock_timer(ctx.now + 1000 * row["x"])
        if row["do"]:
            ctx.delete_clock_timer(ctx.now + 1000 * row["x"])

    def on_clock_timer(self, at: int, ctx: rs.Context) -> dict[str, Any]:
        return {"k": ctx.key, "x": at}


def test_timers_and_states_by_the_clock_over_a_restart_and_a_rescale() -> None:
    schema = {"k": "string", "x": "int"}
    subtasks = Subtasks(steps.Process(Clock(), ("k",), schema), 1)
    subtasks.watermark(100)
    subtasks.process(rows_of(("a", 0, 4, 0), ("b", 0, 6, 0), ("c", 1, 5, 0)))
    subtasks.restart(1)
    subtasks.advance(5)
    assert [row for _, row, _ in subtasks.output.rows[3:]] == [{"k": "a", "x": 4000}]
    assert subtasks.output.rows[-1][2] == 4000  # its time, and not behind the watermark
    subtasks.restart(2)
    subtasks.process(rows_of(("a", 0, -1, 0)))
    assert subtasks.output.rows[-1][1] == {"k": "a", "x": 4}
    subtasks.advance(5)
    fired = [row for _, row, _ in subtasks.output.rows[5:]]
    assert sorted(row["k"] for row in fired) == ["a", "b"]
    subtasks.advance(5.001)
    subtasks.process(rows_of(("b", 0, 1, 0)))
    assert subtasks.output.rows[-1][1] == {"k": "b", "x": -1}


# -- checkpoints -----------------------------------------------------------------------------------


class Before(rs.Process):
    n: rs.Value[int]
    old: rs.Value[int]

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
        self.n.set(1)
        self.old.set(1)


class Without(rs.Process):
    n: rs.Value[int]


class Another(rs.Process):
    n: rs.Value[str]
    old: rs.Value[int]


class More(Before):
    new: rs.List[str]

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> dict[str, Any]:
        return {"n": self.n.get(0) + len(self.new)}


def test_states_may_be_added_but_not_lost_or_changed() -> None:
    subtasks = Subtasks(steps.Process(Before(), ("k",)), 1)
    subtasks.process(rows_of(("a", 0, 0, 0)))
    with pytest.raises(ConfigurationError, match="holds state .old., which Without no longer has"):
        subtasks.restart(1, steps.Process(Without(), ("k",)))
    subtasks = Subtasks(steps.Process(Before(), ("k",)), 1)
    subtasks.process(rows_of(("a", 0, 0, 0)))
    subtasks.restart(1, steps.Process(More(), ("k",), {"n": "int"}))
    subtasks.process(rows_of(("a", 0, 0, 0)))
    assert subtasks.output.rows == [("", {"n": 1}, 0)]
    before, another = (steps.Process(each, ("k",)).meaning() for each in (Before(), Another()))
    assert before["state n"], another["state n"] == ("Value[Int64]", "Value[String]")


def test_a_timer_behind_the_watermark_of_another_subtask_is_not_lost_by_a_rescale() -> None:
    step = steps.Process(Machine(), ("k",), OUT, {"side": {"x": "int"}})
    subtasks = Subtasks(step, 2)
    rows = [(k, 6, 5, 10) for k in "abcdefgh"]
    subtasks.process(rows_of(*rows))
    subtasks.operators[0].on_watermark(Watermark(12))
    subtasks.operators[1].on_watermark(Watermark(20))
    early = [row["k"] for _, row, _ in subtasks.output.rows if row["at"] == 15]
    assert 0 < len(early) < len(rows)
    subtasks.restart(3)
    subtasks.watermark(20)
    fired = [row["k"] for _, row, _ in subtasks.output.rows if row["at"] == 15]
    assert sorted(fired) == list("abcdefgh")


def test_annotations_are_read_where_the_class_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process gets the class by value: its module, and the names in it, are not there."""
    script = ModuleType("a_script")
    monkeypatch.setitem(sys.modules, "a_script", script)
    exec(SCRIPT, vars(script))
    rows = rs.Pipeline("example").read(rs.Rows([{"k": "a"}]))
    made = rows.key_by("k").process(script.Count(), schema={"n": "int"})
    step = made._pipeline.node(made._edge).step
    monkeypatch.delitem(sys.modules, "a_script")
    assert isinstance(step, steps.Process)
    subtasks = Subtasks(step, 1)
    subtasks.process(pl.DataFrame({"k": ["a", "a"], TIME: [1, 2]}))
    assert [row for _, row, _ in subtasks.output.rows] == [{"n": 1}, {"n": 2}]


SCRIPT = """
from __future__ import annotations
from typing import TypedDict
import raystream as rs

class Seen(TypedDict):
    n: int

class Count(rs.Process):
    seen: rs.Value[Seen]
    def on_row(self, row, ctx):
        self.seen.set({"n": self.seen.get({"n": 0})["n"] + 1})
        return self.seen.get()
"""
