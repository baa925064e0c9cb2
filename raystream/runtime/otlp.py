"""The metrics of a job by OpenTelemetry's protocol (OTLP over HTTP), asked for by its variables.

The names are those at /metrics, so that a collector that hands them on to Prometheus keeps them.
What is exported is made of the status document: no instrument is asked on the way of a row.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from raystream.observe.histogram import BOUNDS_S, LABELS, HistogramStatus
from raystream.observe.prometheus import PREFIX, UP, Metric, histograms, samples
from raystream.observe.status import StatusDocument

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric as OtlpMetric
    from opentelemetry.sdk.metrics.export import MetricsData

ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
EVERY_MS = 60_000
"""OpenTelemetry's default interval."""

_UNITS = {"seconds": "s", "bytes": "By", "rows": "{row}", "ratio": "1"}
_log = logging.getLogger("raystream.job")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the environment asks for.

    Args:
        every_s: Seconds between two exports.
        doubt: What it asks for and does not get; with `every_s` 0 nothing is exported.
    """

    every_s: float = 0.0
    doubt: str = ""


def asked(environment: Mapping[str, str]) -> Asked:
    """What OpenTelemetry's variables ask for.

    >>> asked({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}).every_s
    60.0
    >>> asked({"OTEL_METRICS_EXPORTER": "none"})
    Asked(every_s=0.0, doubt='')
    """
    said = {name: value.strip() for name, value in environment.items() if value.strip()}
    exporters = said.get("OTEL_METRICS_EXPORTER", "").lower().replace(" ", "").split(",")
    wanted = "otlp" in exporters or (exporters == [""] and any(name in said for name in ENDPOINTS))
    if not wanted or said.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Asked()
    protocol = next((said[name] for name in PROTOCOLS if name in said), "http/protobuf")
    if protocol.lower() != "http/protobuf":
        return Asked(doubt=f"OpenTelemetry: only http/protobuf is spoken, not {protocol}")
    doubts = []
    if said.get(TEMPORALITY, "cumulative").lower() != "cumulative":
        doubts.append(f"{TEMPORALITY}: counters are cumulative")
    every = _number(said.get(INTERVAL, ""))
    if every is None:
        doubts.append(f"{INTERVAL} is no number of milliseconds above 0: {EVERY_MS} is taken")
    return Asked((every or EVERY_MS) / 1000, "; ".join(doubts))


def _number(text: str) -> int | None:
    """Milliseconds; None: not a number above 0."""
    if not text:
        return EVERY_MS
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


class OtlpMetrics:
    """Exports the newest status of a job every some seconds, and at its end.

    It never harms the job: it has a thread of its own, and what fails is logged.

    Args:
        environment: Variables; those of the process are what the exporter itself reads.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._asked = asked(environment)
        self._newest: StatusDocument | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        doubt = self._asked.doubt
        if self._asked.every_s and not _installed():
            doubt = "OpenTelemetry is not installed, no metrics are exported: pip install "
            doubt += "'raystream[otel]'"
            self._asked = Asked()
        if doubt:
            _log.warning("%s", doubt)

    def publish(self, status: StatusDocument) -> None:
        """Note the newest status; the first one starts the exports."""
        self._newest = status
        if self._thread is None and self._asked.every_s:
            self._thread = threading.Thread(target=self._run, name="raystream-otlp", daemon=True)
            self._thread.start()

    def end(self, patience: float = 5.0) -> None:
        """Export a last time.

        Args:
            patience: Seconds to wait for it.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join(patience)

    def _run(self) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

            exporter = OTLPMetricExporter()
            over = False
            while not over:
                over = self._over.wait(self._asked.every_s)
                if self._newest is not None:
                    exporter.export(metrics_data(self._newest))
            exporter.shutdown()
        except Exception:  # whatever the exporter says about its variables
            _log.exception("metrics are not exported to OpenTelemetry any more")


def _installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http.metric_exporter") is not None
    except ModuleNotFoundError:
        return False


def metrics_data(status: StatusDocument) -> MetricsData:
    """What is exported of a job: the series of /metrics; after its end its last counters, too."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "raystream"}))
    scope = InstrumentationScope("raystream", status.raystream_version)
    metrics = [*_numbers(status), *_histograms(status)]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def _numbers(status: StatusDocument) -> Iterator[OtlpMetric]:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        NumberDataPoint,
        Sum,
    )

    began, now = _times(status)
    running = replace(status, outcome=None)
    points: dict[Metric, list[NumberDataPoint]] = {}
    for metric, labels, number in samples(running, 0.0):
        value = 0.0 if metric is UP and status.outcome is not None else number
        tags = {"job": status.job, **labels}
        points.setdefault(metric, []).append(NumberDataPoint(tags, began, now, float(value)))
    for metric, of_it in points.items():
        counter = metric.kind == "counter"
        total = Sum(of_it, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        yield _named(metric, total if counter else Gauge(of_it))


def _histograms(status: StatusDocument) -> Iterator[OtlpMetric]:
    from opentelemetry.sdk.metrics.export import AggregationTemporality, Histogram

    points: dict[Metric, list[Any]] = {}
    for metric, labels, histogram in histograms(status):
        point = _point(status, labels, histogram)
        points.setdefault(metric, []).append(point)
    for metric, of_it in points.items():
        yield _named(metric, Histogram(of_it, AggregationTemporality.CUMULATIVE))


def _point(status: StatusDocument, labels: dict[str, str], told: HistogramStatus) -> Any:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    began, now = _times(status)
    counts = [told.counts.get(label, 0) for label in LABELS]
    unknown: Any = None  # least and greatest are not kept
    tags = {"job": status.job, **labels}
    return HistogramDataPoint(
        tags, began, now, told.count, told.sum_s, counts, BOUNDS_S, unknown, unknown
    )


def _named(metric: Metric, data: Any) -> OtlpMetric:
    from opentelemetry.sdk.metrics.export import Metric as OtlpMetric

    return OtlpMetric(f"{PREFIX}{metric.name}", metric.help, unit(metric.name), data)


def unit(name: str) -> str:
    """The unit of a metric (UCUM), as its name tells.

    >>> unit("busy_seconds_total"), unit("checkpoint_bytes"), unit("dlq_rows_total"), unit("timers")
    ('s', 'By', '{row}', '')
    """
    words = name.removesuffix("_total").split("_")
    return next((_UNITS[word] for word in reversed(words) if word in _UNITS), "")


def _times(status: StatusDocument) -> tuple[int, int]:
    """When the run began, and now, epoch ns."""
    return status.started_at_ms * 1_000_000, status.at_ms * 1_000_000
