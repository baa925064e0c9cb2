"""Reading YAML: what a scalar is, where things are, and what may not grow."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raystream.config.place import Place, Problems
from raystream.config.scalars import plain_value
from raystream.config.yaml import MAX_ALIASES, MAX_DEPTH, Mapping, Node, Scalar, parse, to_data

# PyYAML writes `0E0` and `08` as plain text, for YAML 1.1 they are no numbers: to us the first is
# one, and the second a trap.
texts = st.text().filter(lambda text: not re.match(r"[-+]?\.?[0-9]", text))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def read(text: str) -> tuple[Node | None, list[str]]:
    problems = Problems()
    node = parse(text, "f", problems)
    return node, [str(problem) for problem in problems]


@settings(deadline=None)
@given(st.dictionaries(texts, json_values), st.booleans())
def test_what_another_writer_wrote_is_read_back(data: dict[str, Any], flow: bool) -> None:
    text = yaml.safe_dump(data, default_flow_style=flow)
    assume(not (flow and "(" in text))  # `[quantile(x, 1)]` is two items to YAML: refused
    node, problems = read(text)
    assert problems == []
    assert node is not None
    assert to_data(node) == data


@settings(deadline=None)
@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    node, problems = read(text)
    assert node is not None or problems


@pytest.mark.parametrize(
    ("text", "value"),
    [("0x1F", 31), ("0o17", 15), ("1e3", 1000.0), (".5", 0.5), ("y", "y"), ("NULL", None)]
    + [
        ("12:30:45.6x", "12:30:45.6x"),
        ("-0", 0),
        ("+12", 12),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    assert plain_value(text) == value


def test_places_are_those_of_the_file() -> None:
    node, _ = read("a: 1\nb:\n  - {c: 'x y', d: é, e: z}\n")
    assert isinstance(node, Mapping)
    (key, items) = node.items[1]
    assert key.place == Place("f", 2, 1)
    row = items.items[0]  # type: ignore[union-attr]
    assert isinstance(row, Mapping)
    places = [(k.place.column, v.place.column) for k, v in row.items]
    assert places == [(6, 9), (16, 19), (22, 25)]  # columns count characters, not bytes


def test_offsets_point_into_quoted_plain_and_block_text() -> None:
    node, _ = read("a: 'xyz'\nb: xyz\nc: |\n  xyz\nd: \"x\\tyz\"\n")
    assert isinstance(node, Mapping)
    found = [value.at(2) for _, value in node.items if isinstance(value, Scalar)]
    assert [(p.line, p.column) for p in found] == [(1, 7), (2, 6), (4, 5), (5, 4)]


def test_an_alias_has_its_own_place() -> None:
    node, problems = read("a: &x {v: 1}\nb: *x\n")
    assert isinstance(node, Mapping)
    assert problems == []
    assert [value.place.line for _, value in node.items] == [1, 2]
    assert to_data(node) == {"a": {"v": 1}, "b": {"v": 1}}


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
DEEP_ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[*a{n - 1}]]]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10_000, "nested deeper than"),
        ("a: {" * 500 + "}" * 500, "nested deeper than"),
        (BOMB, "values, with aliases written out"),
        (DEEP_ALIASES, "nested deeper than"),
        ("a: &a x\nb: [" + "*a, " * (MAX_ALIASES + 1) + "]", "more than 100 aliases"),
        ("a: &a [*a]", "names no anchor above it"),
        ("a: " + "x" * (1 << 20), "longer than 1 MiB"),
        ("- x\n" * 60_000, "more than 50000 values"),
        ("a: \x07", "not YAML"),
        ("a: [b\n", "not YAML"),
    ],
    ids=["lists", "maps", "billion laughs", "deep aliases", "aliases", "itself", "size", "many"]
    + ["control", "open"],
)
def test_limits(text: str, message: str) -> None:
    start = time.process_time()
    node, problems = read(text)
    assert message in problems[0]
    assert node is None
    assert time.process_time() - start < 5


def test_depth_up_to_the_limit_is_fine() -> None:
    node, problems = read("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert problems == []
    assert node is not None


def test_a_byte_order_mark_and_windows_lines_are_fine() -> None:
    node, problems = read("a: 1\r\nb: x\r\n")
    assert (to_data(node), problems) == ({"a": 1, "b": "x"}, [])  # type: ignore[arg-type]
