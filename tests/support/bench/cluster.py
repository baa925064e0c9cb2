"""Several nodes of Ray on this machine, ordered through standard input; see `recovery.Cluster`."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
from typing import Any

from tests.support import processes

_STORE = 80_000_000


def main(workers: int) -> None:
    """Serve orders: `kill`, `freeze` the last node, `add` one, `end`."""
    from ray.cluster_utils import Cluster

    from raystream.runtime.ray.private_ray import lean_start

    os.environ["RAY_worker_niceness"] = "0"  # as in the private Ray of a job
    with lean_start():
        _serve(Cluster(), workers)


def _serve(cluster: Any, workers: int) -> None:
    import ray

    cluster.add_node(num_cpus=0, object_store_memory=_STORE, include_dashboard=False)
    nodes = [_added(cluster) for _ in range(workers)]
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    cluster.wait_for_nodes()
    _tell(address=cluster.address)
    frozen: list[int] = []
    for line in sys.stdin:
        match line.strip():
            case "kill":
                nodes[-1].kill_raylet()
            case "freeze":
                frozen = _family(nodes[-1])
                _send(frozen, signal.SIGSTOP)
            case "add":
                _send(frozen, signal.SIGKILL)
                frozen = []
                nodes[-1] = _added(cluster)
            case "end":
                break
        _tell(done=line.strip())
    _send(frozen, signal.SIGKILL)
    ray.shutdown()
    cluster.shutdown()
    _tell(done="end")


def _added(cluster: Any) -> Any:
    return cluster.add_node(num_cpus=2, object_store_memory=_STORE)


def _family(node: Any) -> list[int]:
    raylets = node.all_processes.get("raylet", [])
    return [one.pid for raylet in raylets for one in processes.family(raylet.process.pid)]


def _send(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, what)


def _tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
