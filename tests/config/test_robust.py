"""Whatever is written, the answer is a pipeline or a list of places; never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raystream.config.load import load
from raystream.config.place import InvalidFile
from tests.config.corpus import LOADING, files
from tests.config.test_schema import BASES, NAMES, VALUES, changed, places

TEXTS = [path.read_text() for path in files("good")]
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "\n",
    "  ",
    "'",
    '"',
    "&a ",
    "*a",
    "#",
    "|",
    "${",
    "}",
    "?",
]


def problems(path: Path) -> list[str]:
    try:
        load(str(path), LOADING)
    except InvalidFile as error:
        return [str(problem) for problem in error.problems]
    return []


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_changed_files(tmp_path: Path, data: st.DataObject) -> None:
    document = data.draw(st.sampled_from(BASES))
    for _ in range(data.draw(st.integers(1, 3))):
        way = data.draw(st.sampled_from(places(document) or [()]))
        change = data.draw(st.sampled_from(["delete", "add", "rename", "replace"]))
        name, value = data.draw(st.sampled_from(NAMES)), data.draw(st.sampled_from(VALUES))
        document = changed(document, way, change, name, value) if way else document
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    for problem in problems(path):
        assert problem.startswith(f"{path}:")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(TEXTS), st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES))))
def test_changed_texts(tmp_path: Path, text: str, edits: list[tuple[float, str]]) -> None:
    for where, piece in edits:
        at = round(where * len(text))
        text = text[:at] + piece + text[at:]
    path = tmp_path / "job.yaml"
    path.write_text(text)
    assert isinstance(problems(path), list)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base["name"])
def test_every_single_part_left_out(tmp_path: Path, base: dict[str, object]) -> None:
    """Also the longest ways: each place of a right file, alone."""
    path = tmp_path / "job.yaml"
    for way in places(base)[:: 1 + len(places(base)) // 60]:
        path.write_text(yaml.safe_dump(changed(base, way, "delete", "", None), sort_keys=False))
        assert isinstance(problems(path), list)
