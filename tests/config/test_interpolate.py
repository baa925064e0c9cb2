"""`${..}`: where values come from, and that they stay values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.config.interpolate import World, interpolate, params_of
from raystream.config.place import Problems
from raystream.config.yaml import Mapping, Scalar, parse, to_data

ENVIRONMENT = {"HOST": "h", "EMPTY": "", "N": "4", "RAYSTREAM_SECRET_DB": "s3"}


def resolved(text: str, secrets: Path | None = None) -> tuple[Any, list[str]]:
    problems = Problems()
    node = parse(text, "f", problems)
    assert node is not None
    world = World({"region": "eu"}, ENVIRONMENT, str(secrets or "/nowhere"))
    found = interpolate(node, world, problems)
    return to_data(found), [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}:9092", "h:9092"),
        ("${N}", 4),
        ("'${N}'", "4"),
        ("${NONE:-x y}", "x y"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", None),
        ("'a${EMPTY}'", "a"),
        ("${NONE:-}", None),
        ("${HOST:?needed}", "h"),
        ("${param:region}-${HOST}", "eu-h"),
        ("$$HOST $${HOST}", "$HOST ${HOST}"),
        ("$$$${HOST}", "$${HOST}"),
        ("$$${HOST}", "$h"),
        ("$HOST a$", "$HOST a$"),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert resolved(f"x: {text}") == ({"x": value}, [])


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_a_value_never_becomes_structure(text: str) -> None:
    problems = Problems()
    node = parse("a: ${X}\nb: ['${X}', \"${X}\"]\n", "f", problems)
    assert node is not None
    found = interpolate(node, World({}, {"X": text}), problems)
    assert isinstance(found, Mapping)
    first = found.items[0][1]
    assert isinstance(first, Scalar)
    assert first.text == text
    assert to_data(found.items[1][1]) == [text, text]


def test_keys_are_left_alone() -> None:
    assert resolved("${HOST}: 1") == ({"${HOST}": 1}, [])


def test_files_and_secrets(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    (tmp_path / "DB").write_text("not this one")
    (tmp_path / "ONLY").write_text("only-file")
    text = f"[ '${{file:{tmp_path}/token}}', '${{secret:DB}}', '${{secret:ONLY}}' ]"
    assert resolved(text, tmp_path) == (["from-file", "s3", "only-file"], [])


def test_a_secret_is_only_looked_for_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "other").write_text("x")
    _, problems = resolved("${secret:../other}", tmp_path / "secrets")
    assert problems == ["'../other' is not a name for a secret; use A-Z a-z 0-9 _ . -"]


def test_given_parameters_win_and_must_be_known() -> None:
    problems = Problems()
    node = parse("{region: eu, n: 1}", "f", problems)
    assert params_of(node, {"region": "us"}, problems) == {"region": "us", "n": "1"}
    params_of(node, {"regoin": "us"}, problems)
    params_of(None, {"x": "1"}, problems)
    assert [problem.message for problem in problems] == [
        "the file has no parameter 'regoin'; did you mean 'region'?",
        "the file has no parameter 'x'; it has none",
    ]
