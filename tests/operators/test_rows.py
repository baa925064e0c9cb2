from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError, UserCodeError
from raystream.graph.policies import ErrorPolicy
from tests.steps import FilterRows, FlatMap, KeyBy, Map, MapBatches, RowFunctions, output_schema

Row = dict[str, Any]
SKIP = ErrorPolicy.SKIP
COPIES = {"n": "int", "copy": "int"}


@given(st.lists(st.lists(st.tuples(st.integers(-5, 5), st.integers()), min_size=1, max_size=6)))
def test_fused_functions_do_what_plain_python_does(harness: Any, batches: list) -> None:
    step = RowFunctions(
        (
            FilterRows(lambda row: row["n"] >= 0),
            FlatMap(lambda row: [{**row, "copy": i} for i in range(row["n"])], COPIES),
            Map(lambda row: {"n": row["n"] * 2, "copy": row["copy"]}, COPIES),
            FilterRows(lambda row: row["copy"] != 1),
        )
    )
    task = harness(step)
    expected = []
    for batch in batches:
        task.process(pl.DataFrame({"n": [n for n, _ in batch]}), time=pl.Series(_ms(batch)))
        for n, time in batch:
            copies = [c for c in range(max(n, 0)) if c != 1]
            expected += [{"n": 2 * n, "copy": c, TIME: time % 10**9} for c in copies]
    assert task.take(hidden=True) == expected


def _ms(batch: list[tuple[int, int]]) -> list[int]:
    return [time % 10**9 for _, time in batch]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Map(lambda row: {"m": row["n"]}, {"m": int}), [{"m": 1}, {"m": 2}]),
        (FlatMap(lambda row: iter([row] * (row["n"] - 1)), {"n": int}), [{"n": 2}]),
        (FilterRows(lambda row: row["n"] == 1), [{"n": 1}]),
    ],
)
def test_each_alone(harness: Any, step: Any, expected: list[Row]) -> None:
    assert harness(step).process([{"n": 1}, {"n": 2}]).take() == expected


def test_filter_of_rows_keeps_the_columns_as_they_are(harness: Any) -> None:
    assert output_schema(FilterRows(bool), [Schema.of({"n": "int"})]) == Schema.of({"n": "int"})
    assert output_schema(Map(dict), [Schema.of({"n": "int"})]).open
    assert output_schema(Map(dict, {"s": "string"}), [Schema({})]) == Schema.of({"s": "string"})


@dataclass
class Point:
    x: int
    y: float


def test_dataclasses_are_rows(harness: Any) -> None:
    task = harness(Map(lambda row: Point(row["n"], 1), Point)).process([{"n": 1}])
    assert task.take() == [{"x": 1, "y": 1.0}]


def test_what_does_not_fit_the_columns_is_told(harness: Any) -> None:
    step = Map(lambda row: {"v": row["n"] if row["n"] < 5 else str(row["n"])}, {"v": int})
    with pytest.raises(DataError) as error:
        harness(step).process([{"n": 1}, {"n": 7}])
    assert error.value.what == (
        "a row of the function does not fit: column 'v': '7' is not Int64, "
        'in the row {"v": "7"}'
    )
    assert error.value.what_to_do == "columns are v Int64; declare others with schema="
    assert error.value.where.startswith(f"{__file__}:")


def test_types_that_nobody_knows_are_refused(harness: Any) -> None:
    for step in (Map(dict), FlatMap(lambda row: [row]), MapBatches(lambda frame: frame)):
        with pytest.raises(ConfigurationError, match="types of what its function gives are not"):
            harness(step).process([{"n": 1}])
    with pytest.raises(ConfigurationError, match="types of what its function gives are not"):
        harness(KeyBy(("k",), {"k": lambda row: 1})).process([{"n": 1}])


def test_nothing_is_kept_with_a_checkpoint(harness: Any) -> None:
    assert harness(Map(dict, {"n": "int"})).operator.snapshot(1, final=False) is None


@pytest.mark.parametrize("declared", [{"n": float, "t": pl.Datetime("us")}, {"n": float}])
def test_a_function_behind_another_sees_the_types_between_them(harness: Any, declared: Any) -> None:
    """As if each were a step of its own: whole floats, midnights, null for what is left out."""
    day = dt.date(2024, 5, 1)
    first = Map(lambda row: {"n": row["n"], **({"t": day} if "t" in declared else {})}, declared)
    seen: list[Row] = []
    keeps = FilterRows(lambda row: seen.append(dict(row)) or True)
    last = Map(lambda row: {"s": repr(row["n"])}, {"s": str})
    task = harness(RowFunctions((first, keeps, last))).process([{"n": 1}, {"n": None}])
    assert task.take() == [{"s": "1.0"}, {"s": "None"}]
    assert [type(row["n"]) for row in seen] == [float, type(None)]
    assert "t" not in declared or seen[0]["t"] == dt.datetime(2024, 5, 1)  # noqa: DTZ001


def test_a_row_that_does_not_fit_between_two_functions_goes_by_the_first_ones_policy(
    harness: Any,
) -> None:
    first = Map(lambda row: {"n": row["n"] or "none"}, {"n": int}, errors=ErrorPolicy.DLQ)
    second = Map(lambda row: {"m": 6 // row["n"]}, {"m": int})
    said = (("first", "job.py:1"), ("second", "job.py:2"))
    task = harness(RowFunctions((first, second), said)).process([{"n": 2}, {"n": 0}, {"n": 3}])
    assert task.take() == [{"m": 3}, {"m": 2}]
    (dead,) = task.take("errors")
    assert dead["reason"] == "a row of the function does not fit: column 'n': 'none' is not Int64"


def test_filters_behind_the_last_function_see_what_goes_out(harness: Any) -> None:
    step = RowFunctions(
        (Map(dict, {"n": float}), FilterRows(lambda row: isinstance(row["n"], float)))
    )
    assert harness(step).process([{"n": 1}]).take() == [{"n": 1.0}]


def test_nanoseconds_are_not_lost_in_a_dict_but_told(harness: Any) -> None:
    columns = {"n": [1, 2], "t": pl.Series([1_000, 1_001], dtype=pl.Datetime("ns"))}
    frame = pl.DataFrame(columns)
    steps = (
        Map(lambda row: {"n": row["n"]}, {"n": int}, errors=ErrorPolicy.DLQ),
        FilterRows(lambda row: True, ErrorPolicy.DLQ),
        KeyBy(("k",), {"k": lambda row: row["n"]}, ErrorPolicy.DLQ, {"k": pl.Int64()}),
    )
    for step in steps:
        task = harness(step).process(frame)
        assert [row["n"] for row in task.take()] == [1]
        (dead,) = task.take("errors")
        assert dead["reason"] == "column 't' has nanoseconds, which datetime has not"


def test_a_function_may_give_the_same_dict_again(harness: Any) -> None:
    one: Row = {}

    def again(row: Row) -> Row:
        one["n"] = row["n"]
        return one

    def twice(row: Row) -> Any:
        for n in range(2):
            one["n"] = 10 * row["n"] + n
            yield one

    rows = [{"n": 1}, {"n": 2}]
    assert harness(Map(again, {"n": int})).process(rows).take() == rows
    given = harness(FlatMap(twice, {"n": int})).process(rows).take()
    assert [row["n"] for row in given] == [10, 11, 20, 21]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=3)
)


@given(
    st.lists(
        st.fixed_dictionaries({"a": st.integers(-9, 9), "b": st.text(max_size=2)}), max_size=5
    ),
    st.lists(VALUES, min_size=1, max_size=4),
    st.sampled_from([int, float, str, bool]),
)
def test_fused_or_apart_is_the_same(
    harness: Any, rows: list[Row], values: list[Any], kind: Any
) -> None:
    first = Map(lambda row: {"v": values[row["a"] % len(values)]}, {"v": kind}, errors=SKIP)
    second = Map(lambda row: {"w": repr(row)}, {"w": str}, errors=SKIP)
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String})
    fused = harness(RowFunctions((first, second))).process(frame).take()
    between = harness(first).process(frame).take()
    apart = harness(second).process(pl.DataFrame(between, schema={"v": kind})).take()
    assert fused == (apart if between else [])


def test_an_error_is_told_at_the_line_of_the_user(harness: Any) -> None:
    def half(value: int) -> float:
        return 1 / value

    def broken(row: Row) -> Row:
        return {"x": half(row["n"])}

    with pytest.raises(UserCodeError) as error:
        harness(Map(broken, {"x": float})).process([{"n": 1}, {"n": 0}])
    assert str(error.value) == (
        f"{__file__}:{half.__code__.co_firstlineno + 1}: ZeroDivisionError: division by zero, "
        "in the row {\"n\": 0}; correct it, or give the step errors='dlq' or errors='skip'"
    )
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_an_error_inside_a_library_is_told_at_the_call(harness: Any) -> None:
    def broken(row: Row) -> Row:
        return json.loads("{")

    with pytest.raises(UserCodeError) as error:
        harness(Map(broken, {"x": float})).process([{"n": 1}])
    assert error.value.where == f"{__file__}:{broken.__code__.co_firstlineno + 1}"


def test_what_is_no_row(harness: Any) -> None:
    with pytest.raises(UserCodeError, match=r"gave int, not a dict, in the row .*; return a dict"):
        harness(Map(lambda row: 5, {"x": float})).process([{"n": 1}])
