"""union by name: order and width of columns of its inputs, and what is told of it."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.testing import CRASH, feed
from raystream.verify.evaluate import evaluate
from tests.steps import Union, output_schema

KINDS = [pl.Int8(), pl.UInt8(), pl.Int16(), pl.UInt16(), pl.Int32(), pl.Int64(), pl.Float32()]
FITTING = st.sampled_from([kind for kind in KINDS if kind != pl.Int64()])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(FITTING, st.permutations(["a", "b", "c"])), min_size=2, max_size=3))
def test_rows_are_those_of_all_inputs(
    harness: Any, inputs: list[tuple[pl.DataType, list[str]]]
) -> None:
    frames = []
    for number, (kind, order) in enumerate(inputs):
        made = {"a": ["x", None], "b": pl.Series([number, None], dtype=kind), "c": [True, False]}
        hidden = {TIME: [number, number], MESSAGE_KEY: [b"k", None]}
        frames.append(pl.DataFrame({**{name: made[name] for name in order}, **hidden}))
    schemas = [Schema.of_frame(frame.schema) for frame in frames]
    task = harness(Union().resolved(schemas))
    for frame in frames:
        task.process(frame)
    found = output_schema(Union(), schemas)
    assert list(found.columns) == inputs[0][1]
    got = task.take_frames()
    assert all(Schema.of_frame(frame.schema).columns == found.columns for frame in got)
    assert [row for frame in got for row in frame.to_dicts()] == [
        row for frame in frames for row in frame.to_dicts()
    ]


def widening() -> rs.Pipeline:
    p = rs.Pipeline("widening", delivery_guarantee="exactly_once")
    small = p.read(rs.Rows([]), name="small", event_time="ts", schema={"ts": "int", "n": pl.Int16})
    large = p.read(rs.Rows([]), name="large", event_time="ts", schema={"n": "int", "ts": "int"})
    both = small.union(large, name="both").key_by("n")
    both.window(rs.tumbling("1m")).agg(count=rs.count(), most=rs.max("n")).write(
        rs.Collect(), name="out"
    )
    return p


@pytest.mark.parametrize("parallelism", [1, 2])
def test_equal_numbers_of_two_widths_are_one_key(parallelism: int) -> None:
    small: list[Any] = [{"ts": second * 1000, "n": second % 7} for second in range(150)]
    large: list[Any] = [{"n": second % 9 + 2**40 * (second % 2), "ts": second * 1000}
                        for second in range(150)]  # fmt: skip
    right = evaluate(widening().graph(), {"small": small, "large": large})["out"]
    given = {"small": [*small[:70], CRASH, *small[70:]], "large": large}
    out = feed(widening(), given, parallelism=parallelism)["out"]
    assert sorted(map(str, out)) == sorted(map(str, right))


def test_what_gets_wider_is_told() -> None:
    assert "both: union, n from Int16 to Int64\n" in str(widening().explain())
    p = rs.Pipeline("alike")
    rows = p.read(rs.Rows([]), name="rows", schema={"n": "int"})
    rows.filter("n > 1").union(rows, name="both").write(rs.Collect(), name="out")
    assert "both: union\n" in str(p.explain())


def test_what_no_type_holds_is_refused_at_its_line() -> None:
    p = rs.Pipeline("refused")
    one = p.read(rs.Rows([]), name="one", schema={"n": "int", "k": "string"})
    two = p.read(rs.Rows([]), name="two", schema={"k": "string", "n": "float"})
    with pytest.raises(ConfigurationError) as error:
        one.union(two)
    assert "test_union.py:" in error.value.where
    assert "every Int64 and every Float64 exactly: cast column 'n' with with_col" in str(
        error.value
    )


def test_rows_wider_than_the_first_ones_are_refused(harness: Any) -> None:
    """Of columns that only rows reveal: those that went out cannot be widened any more."""
    task = harness(Union()).process(pl.DataFrame({"n": pl.Series([1], dtype=pl.Int32)}))
    task.process(pl.DataFrame({"n": pl.Series([2], dtype=pl.Int8)}))
    assert task.take() == [{"n": 1}, {"n": 2}]
    with pytest.raises(ConfigurationError, match="declare the columns of both inputs"):
        task.process(pl.DataFrame({"n": [2**40]}))
