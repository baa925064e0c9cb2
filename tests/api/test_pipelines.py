"""The pipelines of the mission can be planned, and mean what they say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import raystream as rs
from raystream.graph.policies import Early
from raystream.graph.windows import Cumulative, Hopping
from tests.steps import WindowAggregate

PIPELINES = Path(__file__).parents[2] / "pipelines"


def load(name: str) -> rs.Pipeline:
    pipeline: rs.Pipeline = runpy.run_path(str(PIPELINES / f"{name}.py"))["p"]
    return pipeline


def windows(pipeline: rs.Pipeline) -> list[WindowAggregate]:
    steps = (node.step for node in pipeline.graph().nodes)
    return [step for step in steps if isinstance(step, WindowAggregate)]


@pytest.mark.parametrize("path", sorted(PIPELINES.glob("*.py")), ids=lambda path: path.stem)
def test_it_plans(path: Path) -> None:
    assert "chain" in load(path.stem).explain(parallelism=2)


def test_requests_per_minute_is_11_lines() -> None:
    lines = (PIPELINES / "requests_per_minute.py").read_text().splitlines()[1:]
    code = [line for line in lines if line.strip() and not line.startswith("#")]
    assert len(code) == 11


def test_running_totals_start_with_the_sale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALE_START_MS", "1700000123000")
    minute, running = windows(load("order_totals"))
    assert minute.emit == running.emit == Early(1000)
    assert isinstance(running.window, Cumulative)
    assert (1700000123000 - running.window.offset_ms) % running.window.max_size_ms == 0
    assert (1700000123000 - minute.window.offset_ms) % 60_000 == 0


def test_campaign_effect_counts_per_kind_and_computes_rates() -> None:
    pipeline = load("campaign_effect")
    (effect,) = windows(pipeline)
    assert effect.window == Hopping(600_000, 60_000)
    assert set(effect.aggregates) == {"impressions", "clicks", "installs", "purchases", "revenue"}
    assert "click_rate" in pipeline.explain()
