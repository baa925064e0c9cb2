"""Rows and timers of a process that fail, and what cannot be a process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.data.batch import TIME
from raystream.errors import ConfigurationError, DataError, JobFailed, UserCodeError
from raystream.operators.process import firing
from tests import steps
from tests.operators.process.subtasks import OUT, Machine, Subtasks, Total, rows_of


def pipeline(process: rs.Process, rows: list[dict[str, Any]], **options: Any) -> Any:
    p = rs.Pipeline("example")
    return p.read(rs.Rows(rows), event_time="ts").key_by("k").process(process, **options)


class Failing(rs.Process):
    n: rs.Value[int]

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> dict[str, Any]:
        self.n.set(self.n.get(0) + 1)
        if row["x"] == 1:
            ctx.timer(row["ts"] + 5)
        return {"n": self.n.get(), "inverse": 6 // row["x"]}

    def on_timer(self, at: int, ctx: rs.Context) -> None:
        raise LookupError("a timer")


ROWS = [{"k": "a", "x": x, "ts": n} for n, x in enumerate([2, 0, 1])]


def test_an_error_names_the_line_of_the_user_and_the_row() -> None:
    with pytest.raises(JobFailed) as caught:
        pipeline(Failing(), ROWS, schema={"n": "int", "inverse": "int"}).collect()
    assert "ZeroDivisionError" in str(caught.value)
    assert f"{__file__}:{Failing.on_row.__code__.co_firstlineno + 4}" in str(caught.value)
    assert '"x": 0' in str(caught.value) or '"x":0' in str(caught.value)


def test_a_failed_row_and_a_failed_timer_are_dead_letters_and_change_no_state() -> None:
    made = pipeline(Failing(), ROWS, errors="dlq")
    assert made.collect().rows() == [(1, 3), (2, 6)]
    dead = pipeline(Failing(), ROWS, errors="dlq").errors.collect()
    reasons = dead["reason"].to_list()
    assert reasons[0].startswith("ZeroDivisionError")
    assert reasons[1].startswith("LookupError: a timer")


class Returns(rs.Process):
    def __init__(self, made: Any) -> None:
        self.made = made

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> Any:
        return self.made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (7, "the process gave int, not a dict"),
        (["a"], "the process gave str, not a dict"),
        ({"n": "x"}, "column 'n': 'x' is not Int64"),
        ({"m": 1}, "column 'm' is not in the schema"),
    ],
)
@pytest.mark.parametrize("errors", ["fail", "skip"])
def test_what_is_no_row_is_an_error(made: Any, reason: str, errors: str) -> None:
    stream = pipeline(Returns(made), ROWS, schema={"n": "int"}, errors=errors)
    if errors == "skip":
        assert stream.collect().height == 0
        return
    with pytest.raises(JobFailed) as caught:
        stream.collect()
    assert reason in str(caught.value)


def test_nothing_is_a_result_and_a_dict_is_one_row() -> None:
    assert pipeline(Returns(None), ROWS, schema={"n": "int"}).collect().height == 0
    assert pipeline(Returns({"n": 1}), ROWS).collect().rows() == [(1,)] * 3


class Sets(rs.Process):
    value: rs.Value[int]
    map: rs.Map[str, float]

    def __init__(self, value: Any) -> None:
        self.given = value

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
        if isinstance(self.given, dict):
            self.map.update(self.given)
        else:
            self.value.set(self.given)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x", "state 'value': 'x' is not Int64"),
        (2**63, "state 'value': 9223372036854775808 is not Int64"),
        (True, "state 'value': True is not Int64"),
        ({"a": "b"}, "state 'map': 'b' is not Float64"),
        ({1: 2.0}, "state 'key of map': 1 is not String"),
        ({"a": None}, "state 'map' holds no None"),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_is_set(value: Any, reason: str) -> None:
    with pytest.raises(JobFailed) as caught:
        pipeline(Sets(value), ROWS, schema={"n": "int"}).collect()
    assert f"TypeError: {reason}" in str(caught.value)
    assert __file__ in str(caught.value)


class Recurring(rs.Process):
    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
        ctx.timer(row["ts"] + 1)

    def on_timer(self, at: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        yield {"at": at}
        if not getattr(self, "careful", True) or not ctx.ended:
            ctx.timer(at + 1)


class Careless(Recurring):
    careful = False


class Again(rs.Process):
    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
        ctx.timer(datetime(2020, 1, 1, tzinfo=UTC))

    def on_timer(self, at: int, ctx: rs.Context) -> None:
        ctx.timer(at)


def test_timers_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firing, "GENERATIONS", 50)
    schema = {"at": "int"}
    assert pipeline(Recurring(), ROWS, schema=schema).collect().height >= 3
    with pytest.raises(JobFailed, match="timers set one another without end"):
        pipeline(Careless(), ROWS, schema=schema).collect()
    with pytest.raises(JobFailed, match="a timer that fires at 1577836800000 sets one for 157783"):
        pipeline(Again(), ROWS, schema=schema).collect()


# -- advice ----------------------------------------------------------------------------------------


class NoType(rs.Process):
    n: rs.Value[int] = rs.state(ttl="1h")
    m = rs.state(ttl="1h")


class BadType(rs.Process):
    n: rs.Value[set]  # type: ignore[type-arg]


class BadKey(rs.Process):
    n: rs.Map[list[int], int]


@pytest.mark.parametrize(
    ("process", "said"),
    [
        (Machine, "write Machine()"),
        (len, "process takes an object of a subclass of rs.Process"),
        (NoType(), "NoType.m: the type of this state is not known; write m: rs.Value[int]"),
        (BadType(), "state 'n': <class 'set'> is not a type"),
        (BadKey(), "state 'n': keys of a Map are plain values"),
    ],
)
def test_what_cannot_be_a_process_is_refused_at_the_line(process: Any, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        pipeline(process, ROWS)
    assert said in str(caught.value)
    assert "test_errors.py:" in str(caught.value)


def test_a_stream_without_key_and_wrong_tags_are_refused() -> None:
    rows = rs.Pipeline("example").read(rs.Rows(ROWS))
    with pytest.raises(ConfigurationError, match="process needs a key"):
        rows.process(Machine())
    with pytest.raises(ConfigurationError, match="a side output cannot be called 'errors'"):
        rows.key_by("k").process(Machine(), side_outputs=["errors"])
    with pytest.raises(ConfigurationError, match="has no side output 'sid'"):
        rows.key_by("k").process(Machine(), side_outputs=["side"]).tagged("sid")
    with pytest.raises(ConfigurationError, match="no column 'q'"):
        rows.key_by("q").process(Machine(), schema=OUT).collect()


def test_a_side_output_that_was_not_declared_is_an_error_of_the_row() -> None:
    class Wrong(rs.Process):
        def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
            ctx.emit("late", row)

    with pytest.raises(JobFailed, match="there is no side output 'late'"):
        pipeline(Wrong(), ROWS, schema={"n": "int"}).collect()


def test_columns_are_learnt_from_rows_and_timers_and_by_functions_behind() -> None:
    made = pipeline(Total(), [{"k": "a", "n": 2, "ts": 1}])
    doubled = made.map(lambda row: {"twice": 2 * row["total"]})
    assert doubled.collect().to_dicts() == [{"twice": 4}]
    assert made.collect().schema == {"shop": pl.String(), "until": pl.Int64(), "total": pl.Int64()}


def test_errors_are_data_errors_or_errors_of_the_user() -> None:
    subtasks = Subtasks(steps.Process(Failing(), ("k",), {"n": "int", "inverse": "int"}), 1)
    with pytest.raises(UserCodeError):
        subtasks.process(pl.DataFrame([{"k": "a", "x": 0, "ts": 1, TIME: 1}]))
    subtasks = Subtasks(steps.Process(Returns({"n": "x"}), ("k",), {"n": "int"}), 1)
    with pytest.raises(DataError, match="does not fit"):
        subtasks.process(rows_of(("a", 0, 0, 0)))
