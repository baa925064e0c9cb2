"""JSON Schema and loader accept and refuse the same files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.cli.app import main
from raystream.config.check import check
from raystream.config.json_schema import pipeline_schema
from raystream.config.load import load_document
from raystream.config.model import PIPELINE
from raystream.config.place import Place, Problems
from raystream.config.yaml import Mapping, Node, Scalar, Sequence, parse, to_data
from tests.config.corpus import CONFIGS, LOADING, files

VALIDATOR = jsonschema.Draft7Validator(pipeline_schema())
HERE = Place("x.yaml", 1, 1)
RIGHT = [*files("good"), *sorted(CONFIGS.glob("*_*.yaml"))]


def data_of(path: Path) -> Any:
    """The document as an editor sees it: not interpolated, nothing included."""
    node = parse(path.read_text(), path.name, Problems())
    assert node is not None
    return to_data(node)


def node_of(data: Any) -> Node:
    """Data as if written quoted, in one place."""
    if isinstance(data, dict):
        pairs = ((Scalar(name, HERE, HERE), node_of(value)) for name, value in data.items())
        return Mapping(tuple(pairs), HERE, HERE)
    if isinstance(data, list):
        return Sequence(tuple(node_of(item) for item in data), HERE, HERE)
    if isinstance(data, str):
        return Scalar(data, HERE, HERE, plain=False)
    return Scalar(json.dumps(data), HERE, HERE)


def loader_accepts(data: Any) -> bool:
    problems = Problems()
    check(node_of(data), PIPELINE, problems)
    return not problems


def test_it_is_checked_in() -> None:
    checked_in = json.loads((CONFIGS / "pipeline.schema.json").read_text())
    assert checked_in == pipeline_schema(), "raystream schema > configs/pipeline.schema.json"


def test_it_is_a_schema_of_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(pipeline_schema())


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_it_accepts_what_is_right(path: Path) -> None:
    VALIDATOR.validate(data_of(path))


@pytest.mark.parametrize("path", files("shape"), ids=lambda path: path.stem)
def test_it_refuses_wrong_shapes(path: Path) -> None:
    assert not VALIDATOR.is_valid(data_of(path))


@pytest.mark.parametrize("path", files("meaning"), ids=lambda path: path.stem)
def test_it_accepts_what_only_the_loader_knows(path: Path) -> None:
    VALIDATOR.validate(data_of(path))


def test_the_examples_name_it() -> None:
    for path in (CONFIGS / "order_totals.yaml", CONFIGS / "campaign_effect.yaml"):
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=pipeline.schema.json"


# -- the same verdict on whatever a small change makes of a right file --------------------------

BASES = [to_data(load_document(str(path), LOADING).node) for path in RIGHT]
for base in BASES:
    base.pop("include", None)  # what is included may hold what is missing
    if "resources" in base:
        base["resources"]["parallelism"] = 4  # came from a variable, as text
VALUES: list[Any] = [None, True, 0, -1, 1, 2.5, "", "x", "a b", "10s", "json", "a.b:c", [], {}]
VALUES += [
    ["x"],
    [1],
    {"a": "x"},
    {"a": {"b": 1}},
    {"early": "1s"},
    {"tumbling": "1m"},
    1700000000000,
]


def words(data: Any) -> set[str]:
    if isinstance(data, dict):
        return set(data) | {word for value in data.values() for word in words(value)}
    return {word for item in data for word in words(item)} if isinstance(data, list) else set()


NAMES = sorted({word for base in BASES for word in words(base)} | {"nmae", "infer", "to"})


def places(data: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(data, dict | list):
        return []
    found = []
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        found += [(*way, key), *places(value, (*way, key))]
    return found


def changed(data: Any, way: tuple[Any, ...], change: str, name: str, value: Any) -> Any:
    """The data with something else at one place."""
    data = copy.deepcopy(data)
    parent = data
    for key in way[:-1]:
        parent = parent[key]
    if change == "delete":
        del parent[way[-1]]
    elif change == "add" and isinstance(parent, dict):
        parent[name] = value
    elif change == "rename" and isinstance(parent, dict):
        parent[name] = parent.pop(way[-1])
    else:
        parent[way[-1]] = value
    return data


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_file_gets_the_same_verdict(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(BASES))
    for _ in range(data.draw(st.integers(0, 2))):
        way = data.draw(st.sampled_from(places(document)))
        change = data.draw(st.sampled_from(["delete", "add", "rename", "replace"]))
        name, value = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(VALUES))
        if name != "include":
            document = changed(document, way, change, name, value)
        if not places(document):
            break
    assert loader_accepts(document) == VALIDATOR.is_valid(document)


def test_both_verdicts_occur() -> None:
    base = BASES[0]
    verdicts = {loader_accepts(changed(base, way, "delete", "", None)) for way in places(base)}
    assert verdicts == {True, False}


def test_datetimes_of_json_are_written_in_one_way_or_each_in_its_own(tmp_path: Path) -> None:
    text = """\
name: x
source:
  kafka: {bootstrap_servers: "h:1", topic: t, format: {json: {timestamps: HOW}}}
  schema: {at: timestamp, price: "decimal(18,2) not null"}
sink:
  kafka: {bootstrap_servers: "h:1", topic: o}
"""
    path = tmp_path / "job.yaml"
    for how in ("ms", "{at: iso8601}"):
        path.write_text(text.replace("HOW", how))
        assert _exit_code(path) == 0
    for how in ("weeks", "ms, nan: zero"):
        path.write_text(text.replace("HOW", how))
        assert _exit_code(path) == 2
    path.write_text(text.replace("timestamps: HOW", "nan: fail"))
    assert _exit_code(path) == 0


def _exit_code(path: Path) -> int:
    with pytest.raises(SystemExit) as end:
        main(["validate", str(path)])
    return int(end.value.code or 0)
