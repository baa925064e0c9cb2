"""Metrics by OpenTelemetry: what a collector receives, and which variables count."""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from prometheus_client.parser import text_string_to_metric_families

import raystream as rs
from raystream.observe.prometheus import exposition
from raystream.runtime import otlp
from raystream.runtime.otlp import OtlpMetrics, asked
from tests.ui.documents import running

Key = tuple[str, frozenset[tuple[str, str]]]


class Collector:
    """Receives what is exported, as a collector does."""

    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    data = gzip.decompress(data)
                collector.requests.append(ExportMetricsServiceRequest.FromString(data))
                collector.headers.append({"path": self.path, **dict(self.headers)})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def values(self, number: int = -1) -> dict[Key, float]:
        """The series of a request, as Prometheus would have them."""
        found: dict[Key, float] = {}
        (resource,) = self.requests[number].resource_metrics
        (scope,) = resource.scope_metrics
        for metric in scope.metrics:
            for point in getattr(metric, metric.WhichOneof("data")).data_points:
                tags = frozenset((each.key, each.value.string_value) for each in point.attributes)
                if metric.WhichOneof("data") != "histogram":
                    found[metric.name, tags] = point.as_double
                    continue
                found[f"{metric.name}_sum", tags] = point.sum
                found[f"{metric.name}_count", tags] = point.count
                total = 0
                bounds = [*(f"{bound:g}" for bound in point.explicit_bounds), "+Inf"]
                for bound, count in zip(bounds, point.bucket_counts, strict=True):
                    total += count
                    found[f"{metric.name}_bucket", tags | {("le", bound)}] = total
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_METRICS_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.address)
    yield made
    made.close()


def _exported(environment: dict[str, str]) -> None:
    metrics = OtlpMetrics(environment)
    metrics.publish(running(60))
    metrics.end()


def test_a_collector_gets_the_series_that_prometheus_gets(collector: Collector) -> None:
    _exported({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address})
    scraped = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition([(running(60), 0.0)]))
        for sample in family.samples
    }
    assert collector.values() == scraped
    assert collector.headers[0]["path"] == "/v1/metrics"


def test_kinds_units_times_and_words_travel(collector: Collector) -> None:
    _exported({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address})
    (resource,) = collector.requests[0].resource_metrics
    (scope,) = resource.scope_metrics
    found = {each.name.removeprefix("raystream_"): each for each in scope.metrics}
    assert all(each.description for each in scope.metrics)
    rows, age = found["rows_in_total"], found["checkpoint_age_seconds"]
    assert (rows.WhichOneof("data"), rows.unit, rows.sum.is_monotonic) == ("sum", "{row}", True)
    assert (age.WhichOneof("data"), age.unit) == ("gauge", "s")
    assert found["latency_seconds"].histogram.aggregation_temporality == 2
    assert rows.sum.data_points[0].time_unix_nano == running(60).at_ms * 10**6
    assert scope.scope.name == "raystream"


def test_the_variables_of_the_environment_count(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "orders")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,team=a")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    _exported({"OTEL_METRICS_EXPORTER": "otlp"})
    (resource,) = collector.requests[0].resource_metrics
    told = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (told["service.name"], told["deployment.environment"]) == ("orders", "test")
    assert collector.headers[0]["api-key"] == "secret"
    assert collector.headers[0]["Content-Encoding"] == "gzip"


def test_it_exports_at_each_interval_and_once_more_at_the_end(collector: Collector) -> None:
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        "OTEL_METRIC_EXPORT_INTERVAL": "20",
    }
    metrics = OtlpMetrics(environment)
    metrics.publish(running(60))
    tries = 0
    while len(collector.requests) < 2 and tries < 1000:
        threading.Event().wait(0.02)
        tries += 1
    metrics.publish(running(61).ended("stopped"))
    metrics.end()
    job = frozenset({("job", "requests")})
    assert collector.values(0)["raystream_job_up", job] == 1
    assert collector.values()["raystream_job_up", job] == 0
    step = frozenset({("job", "requests"), ("step", "counts")})
    assert collector.values()["raystream_rows_in_total", step] == 61_000


def test_a_whole_job_exports_its_last_counters(collector: Collector, tmp_path: Path) -> None:
    p = rs.Pipeline("told", checkpoint_storage=str(tmp_path / "state"))
    rows = p.read(rs.Rows([{"n": n} for n in range(7)]), name="read")
    rows.write(rs.Files(str(tmp_path / "out")), name="out")
    p.run(until="latest", local=True)
    key = frozenset({("job", "told"), ("step", "out")})
    assert collector.values()["raystream_rows_in_total", key] == 7
    (resource,) = collector.requests[-1].resource_metrics
    told = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert told["service.name"] == "raystream"


@pytest.mark.parametrize(
    ("environment", "every_s", "doubt"),
    [
        ({}, 0, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "  "}, 0, ""),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a"}, 60, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_SDK_DISABLED": "TRUE"}, 0, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_METRICS_EXPORTER": "none"}, 0, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "a", "OTEL_METRICS_EXPORTER": "prometheus"}, 0, ""),
        ({"OTEL_METRICS_EXPORTER": "console, otlp"}, 60, ""),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "5000"}, 5, ""),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "0"}, 60, "no number"),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_METRIC_EXPORT_INTERVAL": "5s"}, 60, "no number"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            0,
            "not grpc",
        ),
        ({"OTEL_METRICS_EXPORTER": "otlp", otlp.TEMPORALITY: "delta"}, 60, "are cumulative"),
    ],
)
def test_what_the_environment_asks_for(
    environment: dict[str, str], every_s: float, doubt: str
) -> None:
    found = asked(environment)
    assert found.every_s == every_s
    assert doubt in found.doubt
    assert bool(doubt) == bool(found.doubt)


def test_without_the_package_it_is_said_and_the_job_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(otlp, "find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING, "raystream.job"):
        _exported({"OTEL_METRICS_EXPORTER": "otlp"})
    assert "pip install 'raystream[otel]'" in caplog.text


def test_a_collector_that_is_not_there_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    metrics = OtlpMetrics({"OTEL_METRICS_EXPORTER": "otlp"})
    metrics.publish(running())
    metrics.end(10)
    assert metrics._thread is not None
    assert not metrics._thread.is_alive()
    assert caplog.text
