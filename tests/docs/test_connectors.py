"""docs/connectors/*.md: the tables hold the options of the code, and the examples run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import raystream as rs
from raystream.config import end_forms
from raystream.config.load import load
from raystream.config.shapes import Record
from raystream.testing import feed
from tests.steps import Read, Write

FOLDER = Path(__file__).parents[2] / "docs/connectors"
PAGES = {path.stem: path.read_text() for path in FOLDER.glob("*.md")}
HEADINGS = ("Guarantees", "Limits", "Troubleshooting")
TABLES: list[tuple[str, str, Callable[..., Any]]] = [
    ("kafka", "Options of the cluster", rs.Kafka),
    ("kafka", "Options of a topic", rs.Kafka.topic),
    ("files", "Options", rs.Files),
    ("datagen", "Options", rs.Datagen),
    ("memory", "Options of `rs.Rows`", rs.Rows),
    ("memory", "Options of `rs.Payloads`", rs.Payloads),
    ("memory", "Options of `rs.Collect`", rs.Collect),
]
YAML: list[tuple[str, str, str, Record]] = [
    ("kafka", "Options of a topic", "source", end_forms.SOURCE_KAFKA),
    ("kafka", "Options of a topic", "sink", end_forms.SINK_KAFKA),
    ("files", "Options", "source", end_forms.SOURCE_FILES),
    ("files", "Options", "sink", end_forms.SINK_FILES),
    ("datagen", "Options", "source", end_forms.DATAGEN),
]


def rows(page: str, heading: str) -> list[list[str]]:
    """Cells of the option table below a heading."""
    text = PAGES[page].split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "heading", "function"), TABLES, ids=lambda value: getattr(value, "__name__", None)
)
def test_the_rows_are_the_arguments(page: str, heading: str, function: Callable[..., Any]) -> None:
    arguments = set(inspect.signature(function).parameters) - {"self", "unknown", "security"}
    arguments |= set(end_forms.SECURITY) if function is rs.Kafka else set()
    assert sorted(row[0].strip("`") for row in rows(page, heading)) == sorted(arguments)


@pytest.mark.parametrize(
    ("page", "heading", "function"), TABLES, ids=lambda value: getattr(value, "__name__", None)
)
def test_defaults_are_those_of_the_code(
    page: str, heading: str, function: Callable[..., Any]
) -> None:
    parameters = inspect.signature(function).parameters
    for cells in rows(page, heading):
        default = cells[-2]
        parameter = parameters.get(cells[0].strip("`"))
        if default.startswith("`") and parameter is not None and parameter.default is not None:
            assert default.strip("`") == str(parameter.default), cells[0]
        if default == "required":
            assert parameter is not None
            assert parameter.default in (parameter.empty, None, "")


@pytest.mark.parametrize(
    ("page", "heading", "side", "record"), YAML, ids=lambda v: v if isinstance(v, str) else None
)
def test_yaml_takes_the_same_options(page: str, heading: str, side: str, record: Record) -> None:
    told = {
        "topic" if name == "`name`" else name.strip("`")
        for name, of, _, meaning in rows(page, heading)
        if of in (side, "both") and "Python only" not in meaning
    }
    known = set(record.fields) - set(end_forms.CONNECTION) - {"connection"}
    assert told == known


@pytest.mark.parametrize("page", PAGES)
def test_a_page_tells_what_every_page_tells(page: str) -> None:
    missing = [each for each in HEADINGS if f"\n## {each}\n" not in PAGES[page]]
    assert missing == []
    assert "\n## Options" in PAGES[page]


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run_and_yaml_means_the_same(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSTREAM_CHECKPOINT_STORAGE", str(tmp_path / "checkpoints"))
    names: dict[str, Any] = {"__name__": page}
    for block in blocks(page, "python"):
        exec(block, names)  # noqa: S102
    for text in blocks(page, "yaml"):
        (tmp_path / "job.yaml").write_text(text)
        yaml = load(str(tmp_path / "job.yaml")).pipeline
        assert ends(yaml) == ends(names["p"])
        assert yaml.name == names["p"].name
        assert results(page, yaml) == results(page, names["p"]) != []


def ends(pipeline: rs.Pipeline) -> list[str]:
    """Sources and sinks as values, whose text says all options."""
    steps = [node.step for node in pipeline.graph().nodes]
    every = [s.source for s in steps if isinstance(s, Read)]
    return [repr(end) for end in [*every, *(s.sink for s in steps if isinstance(s, Write))]]


def results(page: str, pipeline: rs.Pipeline) -> list[dict[str, Any]]:
    if page == "kafka":
        record = {"ts": 1_700_000_000_000, "ip": "a", "status": 500}
        return feed(pipeline, {"requests": [record]})["errors"]
    return sorted(pipeline.collect().to_dicts(), key=str)
