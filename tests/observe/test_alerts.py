"""Alerts and the dashboard name series that exist, with labels that these have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from raystream.observe.prometheus import exposition
from tests.ui.documents import running

CONFIGS = Path(__file__).parents[2] / "configs"
RULES = yaml.safe_load((CONFIGS / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((CONFIGS / "grafana" / "raystream.json").read_text())


def _labels() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(exposition([(running(), 0.1)])):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _check(expression: str, legend: str = "") -> None:
    known = _labels()
    names = re.findall(r"raystream_\w+", expression)
    assert names
    assert set(names) <= known.keys()
    asked = set(re.findall(r"(\w+)=~?\"", expression))
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        asked |= set(re.findall(r"\w+", grouped))
    asked |= set(re.findall(r"{{(\w+)}}", legend))
    assert asked <= set().union(*(known[name] for name in names))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_there_and_has_a_runbook(rule: dict[str, Any]) -> None:
    _check(rule["expr"])
    for document in ("page.md", "deploying.md"):
        text = (CONFIGS.parent / "docs" / document).read_text()
        assert f"| `{rule['alert']}` |" in text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_rule_is_tried_quiet_and_firing(rule: dict[str, Any]) -> None:
    (suite,) = yaml.safe_load((CONFIGS / "prometheus" / "alerts_test.yaml").read_text())["tests"]
    tried = [t for t in suite["alert_rule_test"] if t["alertname"] == rule["alert"]]
    assert {bool(each.get("exp_alerts")) for each in tried} == {False, True}
    fed = {series["series"].partition("{")[0] for series in suite["input_series"]}
    assert set(re.findall(r"raystream_\w+", rule["expr"])) <= fed


def test_the_dashboard_asks_for_what_is_there_in_the_order_of_the_page() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    page = (CONFIGS.parent / "docs" / "page.md").read_text()
    places = [page.index(f"| {row} |") for row in rows]
    assert places == sorted(places)
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            _check(target["expr"].replace("$job", "x"), target["legendFormat"])
