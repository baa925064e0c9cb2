from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import DataError, UserCodeError
from raystream.graph.steps import FilterRows, FlatMap, Map, RowFunctions
from raystream.operators.base import Restored
from raystream.operators.registry import output_schema

Row = dict[str, Any]


@given(st.lists(st.lists(st.tuples(st.integers(-5, 5), st.integers()), min_size=1, max_size=6)))
def test_fused_functions_do_what_plain_python_does(harness: Any, batches: list) -> None:
    step = RowFunctions(
        (
            FilterRows(lambda row: row["n"] >= 0),
            FlatMap(lambda row: [{**row, "copy": i} for i in range(row["n"])]),
            Map(lambda row: {"n": row["n"] * 2, "copy": row["copy"]}),
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
        (Map(lambda row: {"m": row["n"]}), [{"m": 1}, {"m": 2}]),
        (FlatMap(lambda row: iter([row] * (row["n"] - 1))), [{"n": 2}]),
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


def test_the_first_output_fixes_the_columns_and_checkpoints_keep_them(harness: Any) -> None:
    step = Map(lambda row: {"v": row["n"] if row["n"] < 5 else str(row["n"])})
    task = harness(step).process([{"n": 1}])
    state = json.loads(json.dumps(dict(task.operator.snapshot(1, final=False).header)))
    again = harness(step, restored=Restored([task.operator.snapshot(2, final=False)], True))
    assert state["schema"]["columns"] == [["v", "Int64"]]
    with pytest.raises(DataError) as error:
        again.process([{"n": 7}])
    assert error.value.what == (
        "a row of the function does not fit: column 'v': '7' is not Int64, "
        'in the row {"v": "7"}'
    )
    assert error.value.what_to_do == "columns are v Int64; declare others with schema="
    assert error.value.where.startswith(f"{__file__}:")


def test_declared_columns_are_not_kept(harness: Any) -> None:
    assert harness(Map(dict, {"n": "int"})).operator.snapshot(1, final=False) is None
    assert harness(FilterRows(bool)).operator.snapshot(1, final=False) is None


def test_an_error_is_told_at_the_line_of_the_user(harness: Any) -> None:
    def half(value: int) -> float:
        return 1 / value

    def broken(row: Row) -> Row:
        return {"x": half(row["n"])}

    with pytest.raises(UserCodeError) as error:
        harness(Map(broken)).process([{"n": 1}, {"n": 0}])
    assert str(error.value) == (
        f"{__file__}:{half.__code__.co_firstlineno + 1}: ZeroDivisionError: division by zero, "
        "in the row {\"n\": 0}; correct it, or give the step errors='dlq' or errors='skip'"
    )
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_an_error_inside_a_library_is_told_at_the_call(harness: Any) -> None:
    def broken(row: Row) -> Row:
        return json.loads("{")

    with pytest.raises(UserCodeError) as error:
        harness(Map(broken)).process([{"n": 1}])
    assert error.value.where == f"{__file__}:{broken.__code__.co_firstlineno + 1}"


def test_what_is_no_row(harness: Any) -> None:
    with pytest.raises(UserCodeError, match=r"gave int, not a dict, in the row .*; return a dict"):
        harness(Map(lambda row: 5)).process([{"n": 1}])
