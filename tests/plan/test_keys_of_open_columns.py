"""The key of rows is the same whether their columns were declared, learnt or are not known yet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.data.schema import Schema
from raystream.operators.step import Step
from raystream.testing import feed
from tests.steps import (
    Drop,
    Filter,
    FilterRows,
    KeyBy,
    Map,
    Select,
    Union,
    WindowAggregate,
    WithColumns,
)

COLUMNS = ("a", "b", "c")
NAMES = st.sets(st.sampled_from(COLUMNS), min_size=1, max_size=2).map(lambda n: tuple(sorted(n)))
STEPS = st.one_of(
    NAMES.map(Drop),
    NAMES.map(Select),
    NAMES.map(KeyBy),
    st.just(KeyBy(())),
    st.just(Filter("1 = 1")),
    st.just(FilterRows(bool)),
    st.just(WithColumns({"d": "1"})),
    st.just(Union()),
    NAMES.map(lambda keys: WindowAggregate(keys, rs.tumbling("1m"), {"n": rs.count()})),
)


def same(row: dict[str, Any]) -> dict[str, Any]:
    return {"a": row["a"], "b": row["b"]}


@pytest.mark.parametrize("schema", [None, {"a": "int", "b": "int"}])
def test_a_key_that_is_dropped_is_no_key_at_another_parallelism(schema: Any) -> None:
    p = rs.Pipeline("dropped")
    mapped = p.read(rs.Rows([]), name="rows").map(same, schema=schema)
    kept = mapped.key_by("a").drop("a").filter("b > 1", parallelism=2)
    kept.write(rs.Collect(), name="out")
    assert [str(each.kind) for each in p.plan().exchanges] == ["rebalance"]
    rows = [{"a": 1, "b": n} for n in range(4)]
    assert sorted(row["b"] for row in feed(p, {"rows": rows})["out"]) == [2, 3]


@given(st.lists(STEPS, max_size=5), NAMES)
@settings(max_examples=300, deadline=None)
def test_open_columns_have_the_key_of_known_ones(steps: list[Step], key: tuple[str, ...]) -> None:
    known = Schema.of(dict.fromkeys(COLUMNS, "int")).with_key(key)
    unknown = Schema({}, open=True).with_key(key)
    for step in steps:
        try:
            known = step.outputs([known])["main"]
        except rs.errors.ConfigurationError:
            return  # a column is gone: the plan refuses it where it knows the columns
        unknown = step.outputs([unknown])["main"]
        assert (unknown.open, unknown.key) == (True, known.key)


def test_a_map_keeps_a_key_only_with_its_columns() -> None:
    keyed = Schema({}, open=True).with_key(("a",))
    assert Map(dict, Schema.of({"a": "int"})).outputs([keyed])["main"].key == ("a",)
    assert Map(dict, Schema.of({"b": "int"})).outputs([keyed])["main"].key == ()
    assert Map(dict).outputs([keyed])["main"].key == ("a",)
