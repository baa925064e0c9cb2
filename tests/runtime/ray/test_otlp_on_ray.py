"""The metrics of a job on a real Ray arrive at an OpenTelemetry collector."""

from __future__ import annotations

from pathlib import Path

import pytest

from raystream.runtime.ray.entry import run
from tests.runtime.ray.jobs import counting
from tests.runtime.test_otlp import Collector

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_the_coordinator_exports_while_it_runs_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    try:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "500")
        outcome = run(counting(tmp_path, rows=4000, rate=1000.0, name="telling"))
    finally:
        collector.close()
    assert outcome.kind == "finished"
    assert len(collector.requests) >= 3  # each half second, and at the end
    assert {each["path"] for each in collector.headers} == {"/v1/metrics"}
    job = ("job", "telling")
    running, last = collector.values(0), collector.values()
    assert running["raystream_job_up", frozenset({job})] == 1
    assert last["raystream_rows_out_total", frozenset({job, ("step", "read")})] == 4000
    done = [v for (name, tags), v in last.items() if name == "raystream_checkpoints_total"]
    assert sum(done) >= 1
