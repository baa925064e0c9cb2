"""Whole numbers of rs.col that leave their type are errors, as in text; nothing else is."""

from __future__ import annotations

import operator
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.expressions.compiled import Compiled, compiled
from raystream.testing import feed

TYPES: dict[str, pl.DataType] = {
    "a": pl.Int64(), "b": pl.Int64(), "u": pl.UInt8(), "w": pl.UInt64(), "i": pl.Int32(),
}  # fmt: skip
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def edges(dtype: Any) -> st.SearchStrategy[int | None]:
    low, high = pl.select(dtype.min().alias("l"), dtype.max().alias("h")).row(0)
    return st.none() | st.integers(low, high) | st.sampled_from([low, high, high // 2, 1, 2])


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.sampled_from("abuwi")] * 2),
    st.tuples(*[st.sampled_from("+-*")] * 2),
    st.integers(-3, 3),
    st.data(),
)
def test_a_row_fails_if_and_only_if_its_numbers_do_not_fit(
    names: tuple[str, str], signs: tuple[str, str], number: int, data: st.DataObject
) -> None:
    left, right = names
    one, two = (OPERATORS[sign] for sign in signs)
    expression = two(one(pl.col(left), pl.col(right)), pl.lit(number, pl.Int8))
    rows = data.draw(
        st.lists(st.fixed_dictionaries({n: edges(d) for n, d in TYPES.items()}), max_size=4)
    )
    frame = pl.DataFrame(rows, schema=TYPES)
    found = compiled(expression, TYPES)
    if not found.dtype.is_integer() or found.dtype == pl.Int128():
        return
    inner = pl.DataFrame(schema=TYPES).select(one(pl.col(left), pl.col(right))).dtypes[0]
    if not inner.is_integer() or inner == pl.Int128():
        return
    wanted = [_fails(row, left, right, number, (one, inner), (two, found.dtype)) for row in rows]
    assert [reason is not None for reason in errors(found, frame)] == wanted
    if found.never is not None and found.never(limits(frame)):
        assert not any(wanted)


def _fails(row: Any, left: str, right: str, number: int, one: Any, two: Any) -> bool:
    if row[left] is None or row[right] is None:
        return False
    first = one[0](row[left], row[right])
    return not (fits(first, one[1]) and fits(two[0](first, number), two[1]))


def fits(value: int, dtype: Any) -> bool:
    low, high = pl.select(dtype.min().alias("l"), dtype.max().alias("h")).row(0)
    return bool(low <= value <= high)


def limits(frame: pl.DataFrame) -> dict[str, tuple[int, int]]:
    return {n: (frame[n].min() or 0, frame[n].max() or 0) for n in frame.columns}  # type: ignore[misc]


def errors(found: Compiled, frame: pl.DataFrame) -> list[str | None]:
    if found.error is None:
        return [None] * frame.height
    return frame.select(found.error.alias("e"))["e"].to_list()


A, B = pl.col("a"), pl.col("b")


@pytest.mark.parametrize(
    "expression",
    [
        pl.when(B < 3).then(0).otherwise(A * 3),
        A.fill_null(B * 2**62),
        pl.coalesce(A, B * 2**62),
        A * 0.5,
        A.cast(pl.Float64) * A,
        A.clip(0, 5) * B,
        pl.col("s") + "x",
    ],
)
def test_what_is_not_chosen_or_no_whole_number_cannot_fail(expression: pl.Expr) -> None:
    schema = {"a": pl.Int64(), "b": pl.Int64(), "s": pl.String()}
    frame = pl.DataFrame({"a": [2**62, -(2**63)], "b": [2, -1], "s": ["a", None]}, schema=schema)
    assert errors(compiled(expression, schema), frame) == [None, None]


@pytest.mark.parametrize("written", ["n * 4", rs.col("n") * 4])
def test_a_pipeline_lets_rows_that_overflow_go(written: Any) -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([]), schema={"n": "int", "ts": "int"}, event_time="ts", name="in")
    made = rows.with_columns(m=written, errors="dlq")
    made.write(rs.Collect(), name="out")
    made.errors.write(rs.Collect(), name="dead")
    for numbers in ([1, 2], [1, 2**62, None, -(2**62)]):
        written_rows = feed(p, {"in": [{"n": n, "ts": 1} for n in numbers]})
        good = [n for n in numbers if n is None or abs(n) < 2**61]
        assert [row["m"] for row in written_rows["out"]] == [n and n * 4 for n in good]
        dead = [row["reason"] for row in written_rows["dead"]]
        assert len(dead) == len(numbers) - len(good)
        assert all(reason.startswith("integer overflow in") for reason in dead)
