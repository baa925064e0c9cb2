"""CPU of the metrics of a large job, at their usual intervals; see scripts/metrics-cost."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from raystream.observe.prometheus import exposition
from raystream.observe.status import StatusDocument
from raystream.runtime.otlp import EVERY_MS, metrics_data
from raystream.runtime.ray.exported_metrics import EVERY_S, RayMetrics, series
from raystream.runtime.ray.private_ray import start_private_ray
from tests.ui.documents import large

SCRAPE_S = 15.0
"""Prometheus' usual scrape interval."""

LIMIT = 0.01
ROUNDS = 10


def cpu_s(work: Callable[[StatusDocument], Any], documents: list[StatusDocument]) -> float:
    """CPU seconds of this process for one document."""
    work(documents[0])
    began = time.process_time()
    for document in documents:
        work(document)
    return (time.process_time() - began) / len(documents)


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--subtasks", type=int, default=10, help="of each chain")
    arguments = parser.parse_args()
    first = large(arguments.chains, arguments.subtasks)
    documents = [
        replace(first, at_ms=first.at_ms + 1000 * n, uptime_s=first.uptime_s + n)
        for n in range(ROUNDS)
    ]
    subtasks = sum(len(chain.subtasks) for chain in first.chains)
    text = exposition([(first, 0.0)])
    lines = sum(not line.startswith("#") for line in text.splitlines())
    print(f"{subtasks} subtasks, {len(first.steps)} steps, {len(first.splits)} splits:")
    print(f"{lines} series, {len(text) / 1e6:.2f} MB a scrape")
    telemetry = cpu_s(lambda status: encode_metrics(metrics_data(status)), documents)
    scrape = cpu_s(lambda status: exposition([(status, 0.0)]), documents)
    start_private_ray()
    clock = iter(range(0, 10**6, 100))
    metrics = RayMetrics(now=lambda: float(next(clock)))
    export = cpu_s(metrics.publish, documents)
    ray.shutdown()
    shares = {
        f"/metrics every {SCRAPE_S:.0f} s": (scrape, scrape / SCRAPE_S),
        f"OpenTelemetry every {EVERY_MS / 1000:.0f} s": (telemetry, telemetry * 1000 / EVERY_MS),
        f"ray.util.metrics every {EVERY_S:.0f} s": (export, export / EVERY_S),
    }
    for what, (seconds, share) in shares.items():
        print(f"{what}: {seconds * 1000:.1f} ms CPU each time, {share:.2%} of a core")
    assert len(list(series(first))) == lines
    return int(max(share for _, share in shares.values()) >= LIMIT)


if __name__ == "__main__":
    sys.exit(main())
