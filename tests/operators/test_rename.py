"""rename against plain Python; what goes along with a column under its new name."""

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
from raystream.verify.evaluate import _STEPS, evaluate
from tests.steps import Rename, output_schema

NAMES = ["a", "b", "c", "d"]
FRAME = pl.DataFrame(
    {"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5], TIME: [1, 2], MESSAGE_KEY: [b"k", None]}
)
SCHEMA = Schema.of({"a": "int not null", "b": "string", "c": "float"}).with_key(("a", "b"))


@settings(max_examples=25, deadline=None)
@given(st.permutations(NAMES), st.sets(st.sampled_from(NAMES[:3]), min_size=1))
def test_it_is_that_of_plain_python(harness: Any, new: list[str], chosen: set[str]) -> None:
    """Swaps and cycles among them; an occupied name is refused in both places."""
    step = Rename({old: new[NAMES.index(old)] for old in sorted(chosen)})
    if (set(NAMES[:3]) - chosen) & set(step.columns.values()):
        with pytest.raises(ConfigurationError, match="there is a column .* already"):
            output_schema(step, [SCHEMA])
        with pytest.raises(ConfigurationError, match="there is a column .* already"):
            harness(step).process(FRAME)
        return
    rows = harness(step).process(FRAME).take(hidden=True)
    assert rows == _STEPS["rename"](step, FRAME.to_dicts())
    found = output_schema(step, [SCHEMA])
    assert [*found.columns, TIME, MESSAGE_KEY] == list(rows[0])
    assert found.key == tuple(step.columns.get(name, name) for name in ("a", "b"))
    assert found.required == {step.columns.get("a", "a")}
    assert step.needs({"main": frozenset(found.columns)}, [NAMES]) == [{"a", "b", "c"}]


def counted(p: rs.Pipeline) -> rs.Pipeline:
    """The same window on a key with a new name, read by its old one."""
    rows = p.read(rs.Rows([]), name="in", event_time="ts", schema={"ts": "int", "ip": "string"})
    keyed = rows.key_by("ip").rename(ip="address", ts="at")
    counts = keyed.window(rs.tumbling("1m")).agg(n=rs.count(), last=rs.max("at"))
    counts.write(rs.Collect(), name="out")
    return p


def test_a_window_behind_it_groups_by_the_renamed_key() -> None:
    rows: list[Any] = [{"ts": second * 1000, "ip": "abc"[second % 3]} for second in range(150)]
    right = evaluate(counted(rs.Pipeline("a")).graph(), {"in": rows})["out"]
    given = [*rows[:70], CRASH, *rows[70:]]
    for parallelism in (1, 2):
        out = feed(counted(rs.Pipeline("a")), {"in": given}, parallelism=parallelism)["out"]
        order = [
            sorted(each, key=lambda row: tuple(map(str, row.values()))) for each in (out, right)
        ]
        assert order[0] == order[1]
        assert list(out[0]) == ["address", "window_start", "window_end", "n", "last"]


def test_mistakes_are_told() -> None:
    p = rs.Pipeline("mistakes")
    rows = p.read(rs.Rows([{"a": 1, "b": 2}]), schema={"a": "int", "b": "int"})
    for call, message in [
        (lambda: rows.rename(), 'rename needs a column; write .rename(old="new")'),
        (lambda: rows.rename(a="x", b="x"), "rename: two columns would be called 'x'"),
        (lambda: rows.rename(a=5), "rename takes column names, not 5"),
        (lambda: rows.rename("a"), "rename takes columns by name, not str"),
        (lambda: rows.rename(a="b").collect(), "rename: there is a column 'b' already; drop that"),
        (lambda: rows.rename(x="y").collect(), "no column 'x'; columns: a, b"),
    ]:
        with pytest.raises(ConfigurationError) as error:
            call()
        assert message in str(error.value)
        assert "test_rename.py:" in error.value.where
