"""Split: every row in exactly one output, that of the first condition it meets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raystream as rs
from raystream.config.load import load
from raystream.config.place import InvalidFile
from raystream.config.to_python import to_python
from raystream.errors import ConfigurationError
from raystream.testing import CRASH, feed
from raystream.verify.evaluate import evaluate

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.one_of(st.none(), st.integers(-3, 12)),
            "kind": st.sampled_from(["web", "7", "3", "odd", None]),
        }
    ),
    max_size=30,
)


def _pipeline(**options: Any) -> rs.Pipeline:
    p = rs.Pipeline("split")
    rows = p.read(rs.Kafka("kafka:9092").topic("rows"), schema={"n": int, "kind": str})
    rest = rows.split(
        web="kind = 'web'", big=rs.col("n") > 9, one="cast(kind as bigint) > 4", **options
    )
    for tag in ("web", "big", "one"):
        rest.tagged(tag).write(rs.Collect(), name=tag)
    rest.with_columns(m="n + 1").write(rs.Collect(), name="rest")
    if options:
        rest.errors.write(rs.Collect(), name="dead")
    return p


def _known(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without a cast that fails and is reached."""
    return [row for row in rows if row["kind"] != "odd" or (row["n"] or 0) > 9]


def _text(row: dict[str, Any]) -> str:
    return str(sorted(row.items()))


@settings(max_examples=12, deadline=None)
@given(ROWS, st.sampled_from([1, 3]), st.booleans())
def test_each_row_is_in_the_first_branch_that_takes_it(
    rows: list[dict[str, Any]], parallelism: int, crash: bool
) -> None:
    rows = _known(rows)
    p = _pipeline()
    fed: list[Any] = [*rows[:10], CRASH, *rows[10:]] if crash else rows
    found = feed(p, {"rows": fed}, parallelism=parallelism)
    right = evaluate(p.graph(), {"read-rows": rows})
    assert sum(map(len, found.values())) == len(rows)
    for tag, expected in right.items():
        assert sorted(map(_text, found[tag])) == sorted(map(_text, expected))


def test_a_condition_fails_only_for_rows_that_come_to_it() -> None:
    rows = [
        {"n": 0, "kind": "web"},
        {"n": 11, "kind": "odd"},
        {"n": 0, "kind": "odd"},
        {"n": 2, "kind": "7"},
    ]
    found = feed(_pipeline(errors="dlq"), {"rows": rows})
    assert [row["kind"] for row in found["web"]] == ["web"]
    assert [row["n"] for row in found["one"]] == [2]
    (dead,) = found["dead"]
    assert dead["reason"] == "kind is not a valid bigint"
    assert ([row["n"] for row in found["big"]], found["rest"]) == ([11], [])


def test_rows_of_a_branch_that_nobody_reads_are_gone() -> None:
    p = rs.Pipeline("split")
    rows = p.read(rs.Rows([{"n": 1}]), name="rows")
    rows.split(even="n % 2 = 0").write(rs.Collect(), name="odd")
    assert [row["n"] for row in feed(p, {"rows": [{"n": n} for n in range(5)]})["odd"]] == [1, 3]


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ({}, r"split needs a branch; write \.split\(web="),
        ({"main": "n > 1"}, "a branch cannot be called 'main'"),
        ({"a": "n +"}, "n +"),
        ({"a": 7}, r"split\(a=\) takes SQL text or an rs.col expression, not int"),
    ],
)
def test_mistakes_are_told_at_the_call(branches: dict[str, Any], message: str) -> None:
    rows = rs.Pipeline("split").read(rs.Rows([{"n": 1}]))
    with pytest.raises(ConfigurationError, match=message):
        rows.split(branches)


@pytest.mark.parametrize(
    ("condition", "message"),
    [("m > 1", "no column 'm'"), ("n + 1", r"split\(a=\): the condition is Int64, not true")],
)
def test_mistakes_about_columns_are_told_before_it_runs(condition: str, message: str) -> None:
    p = rs.Pipeline("split")
    rows = p.read(rs.Rows([{"n": 1}]), schema={"n": "int"})
    with pytest.raises(ConfigurationError, match=message):
        rows.split(a=condition).tagged("a").write(rs.Collect(), name="a")


def test_an_unknown_branch_is_refused_with_the_one_that_was_meant() -> None:
    rest = rs.Pipeline("split").read(rs.Rows([{"n": 1}])).split(large="n > 9")
    with pytest.raises(ConfigurationError, match="no side output 'larg'; did you mean 'large'"):
        rest.tagged("larg")


YAML = """
name: kinds
source: {files: {path: in}, schema: {n: int, kind: string}}
steps:
  - split:
      web: {where: kind = 'web', to: web}
      big: {where: n > 9, to: big}
sinks:
  web: {files: {path: web}}
  big: {files: {path: big}}
  rest: {files: {path: rest}}
"""


def test_in_yaml_each_branch_names_its_sink(tmp_path: Path) -> None:
    file = tmp_path / "kinds.yaml"
    file.write_text(YAML)
    p = load(str(file)).pipeline
    found = {node.name: node.inputs[0].tag for node in p.graph().nodes if node.step.sink}
    assert found == {"web": "web", "big": "big", "rest": "main"}
    text = to_python(p)
    assert 'split(web="kind = \'web\'", big="n > 9")' in text
    assert ".tagged('web')" in text or '.tagged("web")' in text
    file.write_text(YAML.replace("to: big", "to: bgi").replace("kind = ", "kinf = "))
    with pytest.raises(InvalidFile) as caught:
        load(str(file))
    assert "bgi" in str(caught.value)
