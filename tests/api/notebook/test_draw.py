"""`p` as a picture and as text: whatever is in it, and whether it can run or not."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import raystream as rs

PIPELINES = sorted((Path(__file__).parents[3] / "pipelines").glob("*.py"))
SVG = "{http://www.w3.org/2000/svg}"


def svg(p: rs.Pipeline) -> ElementTree.Element:
    html = p._repr_html_()
    return ElementTree.fromstring(html[html.index("<svg") : html.index("</svg>") + len("</svg>")])  # noqa: S314


def texts(p: rs.Pipeline) -> list[str]:
    return [text.text or "" for text in svg(p).iter(f"{SVG}text")]


def plain(p: rs.Pipeline) -> str:
    return p._repr_mimebundle_()["text/plain"]


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_a_pipeline_draws_itself(path: Path) -> None:
    p: Any = runpy.run_path(str(path))["p"]
    names = [node.name[:30] for node in p.graph().nodes]
    assert all(any(text.startswith(name) for text in texts(p)) for name in names)
    assert plain(p) == p.explain()
    assert "not complete" not in p._repr_html_()


def test_no_two_boxes_overlap() -> None:
    p: Any = runpy.run_path(str(PIPELINES[1]))["p"]
    boxes = [
        {k: float(v) for k, v in rect.attrib.items() if k in ("x", "y", "width", "height")}
        for rect in svg(p).iter(f"{SVG}rect")
    ]
    assert len(boxes) == 8
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart_x = a["x"] >= b["x"] + b["width"] or b["x"] >= a["x"] + a["width"]
            apart_y = a["y"] >= b["y"] + b["height"] or b["y"] >= a["y"] + a["height"]
            assert apart_x or apart_y


def test_what_is_not_complete_is_drawn_and_says_why() -> None:
    p = rs.Pipeline("job")
    assert "pipeline 'job' writes nothing" in plain(p)
    assert "<svg" not in p._repr_html_()
    rows = p.read(rs.Rows([{"a": 1}]), name="in")
    rows.filter("a > 1", name="some")
    assert texts(p) == ["in", "read 1 rows in memory", "some", "filter a > 1"]
    assert "writes nothing; end it with .write(..)" in p._repr_html_().replace("&#x27;", "'")
    assert "  some: filter a > 1" in plain(p)
    rows.write(rs.Collect())
    rows.write(rs.Collect())  # two sinks without names
    assert "give both a name=" in plain(p)
    assert len(texts(p)) == 2 * 4


def test_every_text_is_escaped() -> None:
    p = rs.Pipeline("job")
    p.read(rs.Rows([{"a": "x"}]), name="in").filter("a = '<script>&' and a < 'z'")
    html = p._repr_html_()
    assert "<script>" not in html
    assert "filter a = '<script>&' and a" in texts(p)[-1]


def test_side_outputs_are_named_at_their_arrows() -> None:
    p = rs.Pipeline("job")
    rows = p.read(rs.Rows([{"a": 1}]), name="in", errors="dlq")
    rows.errors.write(rs.Collect(), name="dead")
    assert "errors" in texts(p)


def test_a_long_word_is_cut() -> None:
    p = rs.Pipeline("job")
    p.read(rs.Files("/" + "x" * 200), name="in")
    assert max(map(len, texts(p))) <= 40
    assert "x" * 200 in p._repr_html_()  # in the title of the box
