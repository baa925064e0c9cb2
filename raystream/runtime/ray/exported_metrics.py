"""The metrics of a job through Ray's own: a Prometheus that scrapes Ray needs nothing else.

Ray puts `ray_` in front of every name. All are gauges there: Ray's counters only know increments,
and `rate` works on gauges that only rise.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from ray.util.metrics import Gauge

from raystream.observe.prometheus import PREFIX, Metric, histograms, samples
from raystream.observe.status import StatusDocument

EVERY_S = 10.0
"""Ray's processes report their metrics this often."""

_Series = tuple[Metric, dict[str, str], float]
_Key = tuple[str, tuple[tuple[str, str], ...]]


class RayMetrics:
    """Exports each status document that is due.

    Args:
        make: Makes the gauge of a family: name, description, names of its labels.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        make: Callable[[str, str, tuple[str, ...]], Any] = Gauge,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._now = now
        self._due = -math.inf
        self._gauges: dict[str, Any] = {}
        self._told: dict[_Key, Metric] = {}

    def publish(self, status: StatusDocument) -> None:
        """Export it if the last one is old enough, or the job has ended.

        A metric that cannot be exported never harms the job.
        """
        now = self._now()
        if now < self._due and status.outcome is None:
            return
        self._due = now + EVERY_S
        try:
            self._export(status)
        except Exception:  # whatever Ray says about metrics
            logging.getLogger("raystream.job").exception("metrics are not exported any more")
            self._due = math.inf

    def _export(self, status: StatusDocument) -> None:
        told: dict[_Key, Metric] = {}
        for metric, labels, value in series(status):
            tags = {"job": status.job, **labels}
            self._set(metric, tags, value)
            told[metric.name, tuple(tags.items())] = metric
        for key in self._told.keys() - told.keys():  # Ray would repeat the last value for ever
            self._set(self._told[key], dict(key[1]), math.nan)
        self._told = told

    def _set(self, metric: Metric, tags: dict[str, str], value: float) -> None:
        gauge = self._gauges.get(metric.name)
        if gauge is None:
            name = f"{PREFIX}{metric.name}"
            gauge = self._gauges[metric.name] = self._make(name, metric.help, tuple(tags))
        gauge.set(value, tags)


def series(status: StatusDocument) -> Iterator[_Series]:
    """Every series of a job as single numbers: of a histogram its buckets, sum and count."""
    yield from samples(status, 0.0)
    for metric, labels, histogram in histograms(status):
        bucket = Metric(f"{metric.name}_bucket", "gauge", metric.help)
        for bound, count in histogram.cumulative():
            yield bucket, {**labels, "le": bound}, count
        yield Metric(f"{metric.name}_sum", "gauge", metric.help), labels, histogram.sum_s
        yield Metric(f"{metric.name}_count", "gauge", metric.help), labels, histogram.count
