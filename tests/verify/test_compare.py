"""The check itself is checked: it finds every planted loss, duplicate and wrong row."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.verify.compare import compare
from raystream.verify.report import first_rows, report

KEYS = ["ip", "window_start"]


def answer(n: int) -> pl.DataFrame:
    ips = [f"10.0.0.{i % 7}" for i in range(n)]
    return pl.DataFrame({"ip": ips, "window_start": range(n), "count": [i % 3 for i in range(n)]})


@given(st.integers(0, 40), st.randoms())
def test_the_right_answer_in_any_order_is_right(n: int, shuffle: random.Random) -> None:
    rows = answer(n).to_dicts()
    shuffle.shuffle(rows)
    assert compare(answer(n), rows, KEYS).same


@given(st.integers(1, 20), st.data())
def test_planted_faults_are_counted(n: int, data: Any) -> None:
    faults = data.draw(
        st.lists(st.sampled_from("right lost twice wrong".split()), min_size=n, max_size=n)
    )
    rows: list[dict[str, Any]] = []
    for row, fault in zip(answer(n).to_dicts(), faults, strict=True):
        changed = {**row, "count": row["count"] + 100}
        rows += {"right": [row], "lost": [], "twice": [row, row], "wrong": [changed]}[fault]
    found = compare(answer(n), rows, KEYS)
    assert len(found.missing) == faults.count("lost")
    assert len(found.duplicated) == faults.count("twice")
    assert len(found.wrong) == faults.count("wrong")
    assert found.same == (set(faults) == {"right"})


def test_rows_nobody_expects_are_wrong() -> None:
    stranger = {"ip": "x", "window_start": 0, "count": 1}
    assert str(compare(answer(0), [stranger], KEYS)) == "0 missing, 0 duplicated, 1 wrong"


def test_right_and_wrong_row_of_one_key() -> None:
    (row,) = answer(1).to_dicts()
    found = compare(answer(1), [row, {**row, "count": 9}], KEYS)
    assert str(found) == "0 missing, 0 duplicated, 1 wrong"


@pytest.mark.parametrize("value", ["1", None, True, 2])
def test_another_type_or_a_lacking_column_is_wrong(value: Any) -> None:
    right = pl.DataFrame({"k": ["a"], "v": [1]})
    assert len(compare(right, [{"k": "a", "v": value}], ["k"]).wrong) == 1
    assert len(compare(right, [{"k": "a"}], ["k"]).wrong) == 1


def test_sums_of_floats_may_differ_in_the_last_digits() -> None:
    right = pl.DataFrame({"k": ["a"], "v": [0.1 + 0.2]})
    assert compare(right, [{"k": "a", "v": 0.3}], ["k"]).same


def test_report_shows_what_differs() -> None:
    (row,) = answer(1).to_dicts()
    text = report(compare(answer(1), [row, row], KEYS))
    assert text.splitlines() == [
        "duplicated: {'ip': '10.0.0.0', 'window_start': 0, 'count': 0}",
        "1 rows expected, 2 found: 0 missing, 1 duplicated, 0 wrong",
    ]


def test_no_rows_are_said_to_be_none() -> None:
    assert first_rows([]) == "(no rows)"
