"""A job on two Ray nodes: placed on both; it continues when a raylet dies; storage must be shared.

The cluster lives in a process of its own: a process can be connected to one cluster only, and Ray
notes the address of such a cluster in its temporary directory, where others would find it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from raystream.errors import ConfigurationError
from raystream.runtime.ray import shared_storage
from raystream.runtime.ray.entry import run
from raystream.runtime.ray.logs import logs
from raystream.runtime.ray.remote_job import RemoteJob
from tests.runtime.ray.conftest import parent, processes
from tests.runtime.ray.jobs import counting, expected, written

directory = Path(sys.argv[1])
cluster = Cluster()
cluster.add_node(num_cpus=0, object_store_memory=80_000_000, include_dashboard=False)
workers = [cluster.add_node(num_cpus=1, object_store_memory=80_000_000) for _ in range(2)]
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
cluster.wait_for_nodes()
mine = ray.get_runtime_context().get_node_id()  # the coordinator is beside its driver
victim = next(node for node in workers if node.node_id != mine)
told = {"log": []}

def say(frame):
    print("a user prints")
    return frame

job = counting(directory, rows=32000, parallelism=2, name="two-nodes", function=say)

# One node has another file system: what the driver wrote is not there.
blind, exists = workers[1].node_id, shared_storage._exists
shared_storage._exists = lambda probe: ray.get_runtime_context().get_node_id() != blind
try:
    run(job)
except ConfigurationError as error:
    told["refused"] = str(error)
shared_storage._exists = exists

def on_status(status):
    told["log"].append([status.state, status.attempt, status.checkpoint.completed, status.uptime_s])
    if "nodes" not in told:
        if status.checkpoint.completed >= 2:
            kill_a_raylet()
    elif status.restart_count:
        told.setdefault("noticed", time.monotonic() - killed)
        done = told.setdefault("done before", status.checkpoint.completed)
        if status.checkpoint.completed > done and "recovered" not in told:
            told["recovered"] = time.monotonic() - killed
            told["notes"] = list(status.notes)

def kill_a_raylet():
    global killed
    told["nodes"] = len({parent(pid) for pid in processes("read") + processes("count")})
    told["logs"] = logs(RemoteJob.find("two-nodes"), 1000)
    killed = time.monotonic()
    victim.kill_raylet()

outcome = run(job, on_status=on_status)
told |= {"kind": outcome.kind, "restarts": outcome.restarts, "message": outcome.message}
told["exact"] = written(directory) == expected(job)
deadline = time.monotonic() + 8
while (left := processes("read") + processes("count")) and time.monotonic() < deadline:
    time.sleep(0.1)
told["left"] = left
(directory / "told.json").write_text(json.dumps(told))  # Ray itself prints to standard output
ray.shutdown()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of it: one cluster for all of this page."""
    directory = tmp_path_factory.mktemp("two-nodes")
    with tempfile.TemporaryDirectory(prefix="rs", dir="/tmp", ignore_cleanup_errors=True) as short:
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(directory)],
            env={**os.environ, "RAY_TMPDIR": short},
            cwd=Path(__file__).parents[3],
            check=False,
            capture_output=True,
            text=True,
            timeout=150,
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    told: dict[str, Any] = json.loads((directory / "told.json").read_text())
    return told


pytestmark = pytest.mark.timeout(400)


def test_storage_that_one_node_does_not_see_is_refused(told: dict[str, Any]) -> None:
    assert "1 of the cluster's 3 nodes do not see this checkpoint storage" in told["refused"]
    assert "a directory that all nodes share" in told["refused"]


def test_a_job_is_placed_on_both_nodes(told: dict[str, Any]) -> None:
    assert told["nodes"] == 2


def test_logs_are_read_on_every_node(told: dict[str, Any]) -> None:
    assert {"read[0] | a user prints", "read[1] | a user prints"} <= set(told["logs"])
    assert any(line.startswith("coordinator | ") for line in told["logs"])


def test_a_killed_raylet_costs_a_restart_and_no_row(told: dict[str, Any]) -> None:
    assert told["kind"] == "finished", told["message"]
    assert told["restarts"] >= 1, told
    assert told["exact"]
    assert told["noticed"] < 12, told  # Ray itself sees it after 15 s
    assert told["recovered"] < 30, told  # 6 s where nothing else runs
    assert any("smaller shares: 0 CPU" in note for note in told["notes"]), told["notes"]


def test_what_the_dead_raylet_left_behind_ends_itself(told: dict[str, Any]) -> None:
    assert told["left"] == []
