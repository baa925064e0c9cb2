"""Queries of Nexmark as pipeline files: the same steps as in Python, whose answers are checked."""

from __future__ import annotations

from pathlib import Path

import pytest

import raystream as rs
from raystream.config.load import load
from raystream.plan.planner import used
from tests.nexmark.jobs import job

FILES = sorted((Path(__file__).parents[2] / "configs/nexmark").glob("q*.yaml"))


def steps(p: rs.Pipeline) -> list[str]:
    """Every step that leads to the sink, with all of its options; whatever they are called."""
    nodes = used(p.graph())
    ends = [n.step for n in nodes if n.step.source is not None or n.step.sink is not None]
    said = [f"{end.word} {end.schema} {end.event_time} {end.watermark}" for end in ends]
    return sorted([*said, *(repr(node.step) for node in nodes if node.step not in ends)])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_what_python_says(path: Path) -> None:
    p = load(str(path)).pipeline
    assert p.name == f"nexmark-{path.stem}"
    assert steps(p) == steps(job(path.stem))
    assert p.settings.checkpoint_interval == 2.0


def test_most_queries_have_a_file() -> None:
    assert len(FILES) >= 14
