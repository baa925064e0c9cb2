"""Operators behind a function in the chain of the source: rows carry the place they came from."""

from __future__ import annotations

from typing import Any

import pytest

import raystream as rs

ROWS = [{"n": 2, "k": 1}, {"n": 5, "k": 1}, {"n": 3, "k": 2}]
PRODUCT = rs.aggregate(lambda: 1, lambda n, x: n * x, lambda a, b: a * b, returns="int")
AGGREGATES = {
    "user": (lambda: PRODUCT("n"), [3, 10]),
    "first": (lambda: rs.first("n"), [2, 3]),
    "arg_max": (lambda: rs.arg_max("n", "n"), [3, 5]),
    "collect": (lambda: rs.collect("n", limit=5), [[2, 5], [3]]),
    "top_k": (lambda: rs.top_k("n", 1), [[3], [5]]),
    "sum_distinct": (lambda: rs.sum("n", distinct=True), [3, 7]),
    "distinct": (lambda: rs.count_distinct("n"), [1, 2]),
}
WINDOWS = [rs.tumbling("1d"), rs.session("1d"), rs.count_window(5)]


@pytest.mark.parametrize("name", AGGREGATES)
@pytest.mark.parametrize("window", WINDOWS, ids=["tumbling", "session", "count"])
def test_an_aggregate_is_the_same_behind_a_function(name: str, window: Any) -> None:
    made, right = AGGREGATES[name]
    rows = rs.Pipeline("behind").read(rs.Rows(ROWS)).map(lambda row: {**row})
    found = rows.key_by("k").window(window).agg(it=made()).collect()["it"].to_list()
    assert sorted(found) == right


@pytest.mark.parametrize("name", AGGREGATES)
def test_an_aggregate_without_key_is_the_same_behind_a_function(name: str) -> None:
    rows = rs.Pipeline("behind").read(rs.Rows(ROWS))
    made, _ = AGGREGATES[name]
    plain = rows.window(rs.tumbling("1d")).agg(it=made()).collect()["it"].to_list()
    mapped = rows.map(lambda row: {**row})
    assert mapped.window(rs.tumbling("1d")).agg(it=made()).collect()["it"].to_list() == plain


def test_the_rows_of_an_over_are_the_same_behind_a_function() -> None:
    rows = rs.Pipeline("behind").read(rs.Rows(ROWS)).map(lambda row: {**row})
    found = rows.key_by("k").over(rows=2).agg(p=PRODUCT("n"), s=rs.sum("n")).collect()
    assert sorted(found["p"].to_list()) == [2, 3, 10]
