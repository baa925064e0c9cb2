"""Metrics through Ray: the same series as at /metrics, rarely, and never at the job's cost."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from raystream.observe.prometheus import exposition
from raystream.runtime.ray.exported_metrics import EVERY_S, RayMetrics
from tests.ui.documents import large, running


class Gauges:
    """Stands for ray.util.metrics.Gauge, with its rules for labels."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        self.sets = 0
        self.broken = False

    def make(self, name: str, description: str, tag_keys: tuple[str, ...]) -> Any:
        assert description
        gauges = self

        class Made:
            def set(self, value: float, tags: dict[str, str]) -> None:
                if gauges.broken:
                    raise ValueError(name)
                assert set(tags) == set(tag_keys)
                gauges.sets += 1
                gauges.values[name, frozenset(tags.items())] = float(value)

        return Made()


def test_ray_gets_the_series_that_prometheus_gets_from_the_page() -> None:
    gauges, status = Gauges(), running()
    RayMetrics(gauges.make, lambda: 0.0).publish(status)
    scraped = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition([(status, 0.0)]))
        for sample in family.samples
    }
    assert gauges.values == scraped


def test_it_exports_as_often_as_ray_reports_and_at_the_end() -> None:
    gauges, now = Gauges(), 0.0
    metrics = RayMetrics(gauges.make, lambda: now)
    counts = []
    for now in (0.0, 1.0, EVERY_S - 0.1, EVERY_S, EVERY_S + 1.0):  # noqa: B007
        metrics.publish(running())
        counts.append(gauges.sets)
    assert counts[0] == counts[2] < counts[3] == counts[4]
    metrics.publish(running().ended("stopped"))
    assert gauges.sets > counts[4]
    assert gauges.values["raystream_job_up", frozenset({("job", "requests")})] == 0.0


def test_a_series_that_is_gone_is_not_repeated() -> None:
    gauges, status = Gauges(), running()
    now = 0.0
    metrics = RayMetrics(gauges.make, lambda: now)
    metrics.publish(status)
    now = EVERY_S
    metrics.publish(replace(status, splits=status.splits[:1]))
    key = (
        ("job", "requests"),
        ("step", "read"),
        ("split", "requests/1"),
        ("topic", "requests"),
        ("partition", "1"),
    )
    assert math.isnan(gauges.values["raystream_source_lag_rows", frozenset(key)])


def test_a_failure_of_ray_s_metrics_is_logged_once_and_harms_nothing() -> None:
    gauges, now = Gauges(), 0.0
    gauges.broken = True
    metrics = RayMetrics(gauges.make, lambda: now)
    metrics.publish(running())
    gauges.broken = False
    now = 1000.0
    metrics.publish(running())
    assert gauges.sets == 0


def test_the_number_of_series_of_a_large_job_is_bounded() -> None:
    def size(status: Any) -> int:
        return exposition([(status, 0.0)]).count("\n")

    assert size(large(60, 100)) == size(large(60, 300))
    assert 'split="requests/199"' in exposition([(large(), 0.0)])
    assert 'split="requests/200"' not in exposition([(large(), 0.0)])
