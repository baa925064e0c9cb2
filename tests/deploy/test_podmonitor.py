"""The PodMonitor and the annotations lead to the port that Ray's pods have."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

KUBERAY = Path(__file__).parents[2] / "configs" / "kuberay"


def test_it_scrapes_a_port_that_every_pod_names_and_renames_our_metrics() -> None:
    monitor = yaml.safe_load((KUBERAY / "podmonitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    cluster = yaml.safe_load((KUBERAY / "rayjob.yaml").read_text())["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        (pod,) = group["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in pod["ports"]}
        told = group["template"]["metadata"]["annotations"]
        assert str(ports[endpoint["port"]]) == told["prometheus.io/port"]
        assert told["prometheus.io/scrape"] == "true"
    (rule,) = endpoint["metricRelabelings"]
    assert endpoint["honorLabels"] is True
    found = re.fullmatch(rule["regex"], "ray_raystream_restarts_total")
    assert found is not None
    assert found[1] == "raystream_restarts_total"
