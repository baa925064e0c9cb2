"""A single-node Ray for one process: starts fast, and listens on loopback only.

Ray has no settings for most of this, so some of its functions are replaced during the start.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import ray

from raystream.runtime.ray import internals

_OBJECT_STORE = 256 * 1024 * 1024
"""Rows do not go through the object store; snapshots use it for a few segments at a time."""

_INSTEAD = {
    "--dashboard_agent_command": "resting_agent.py",
    "--runtime_env_agent_command": "resting_agent.py",
}
"""Programs beside this file that are put in front of a command, and decide about it."""

if sys.platform == "linux":  # libraries of macOS do not survive a fork
    _INSTEAD["--python_worker_command"] = "forked_worker.py"

_ENGINE = ("raystream.runtime.ray.drive", "raystream.runtime.ray.coordinator")
"""What the coordinator's process loads, with all that a subtask needs."""

_FEWER = {"--num_prestart_python_workers": "--num_prestart_python_workers=1"}
"""A driver waits for this many workers: the coordinator's is enough; Ray starts one per CPU."""

_NODE_SECONDS = 5.0
_NODE_PAUSE = 0.02

_started: list[tuple[str, subprocess.Popen[bytes]]] = []
"""Processes of the most recent start."""

_ray: Any = ray  # its stubs are incomplete


def start_private_ray() -> None:
    """Start it and connect; `address="local"`: never another one, whatever the environment says.

    Raises:
        Exception: whatever Ray raises when it does not start.
    """
    # Ray starts workers at nice 15: next to a busy broker on the same cores a subtask got no CPU
    # for 10 s, and was considered dead.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Loaded while the driver connects, once for all workers; empty: by each for itself.
    loads = ",".join((*_ENGINE, *internals.FIRST_CALL))
    os.environ.setdefault("RAY_preload_python_modules", loads)
    only_loopback()
    with lean_start():
        _ray.init(
            address="local",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )


def dead_part() -> str | None:
    """Part of the newest start that has exited; Ray notices that only after 15 s to a minute."""
    return next((f"its {name}" for name, one in list(_started) if one.poll() is not None), None)


def only_loopback() -> None:
    """Make the services of a private cluster listen on 127.0.0.1, since nobody else may use it.

    Ray replaces a given loopback address by one that others can reach, unless this machine cannot
    be part of a cluster. It read the variable when it was imported.
    """
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    internals.forbid_clusters()


@contextmanager
def lean_start() -> Iterator[None]:
    """Start Ray without unneeded services, which take most of the CPU of a start.

    They are the autoscaler (for one node), the dashboard (started although not requested), the log
    monitor that sends logs to drivers, and the agents (see `resting_agent`). They also take ports
    that others may use.
    """
    _started.clear()
    with internals.lean_services(_lean_raylet, _promptly):
        yield


def _lean_raylet(start: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap Ray's function that starts a process."""

    @wraps(start)
    def start_ray_process(command: list[str], *arguments: Any, **more: Any) -> Any:
        started = start([lean(part) for part in command], *arguments, **more)
        _started.append((os.path.basename(command[0]), started.process))
        return started

    return start_ray_process


def lean(part: str) -> str:
    """Change a part of a raylet's command: resting agents, forked workers, few of them prestarted.

    >>> lean("--node_ip_address=127.0.0.1"), lean("--num_prestart_python_workers=64")
    ('--node_ip_address=127.0.0.1', '--num_prestart_python_workers=1')
    """
    option, _, command = part.partition("=")
    if option not in _INSTEAD:
        return _FEWER.get(option, part)
    front = [sys.executable, "-I", "-S", str(Path(__file__).with_name(_INSTEAD[option]))]
    return f"{option}={subprocess.list2cmdline(front)} {command}"


def _promptly(get_node: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Wrap Ray's lookup of the new node, which sleeps for a second when it is called too early."""

    @wraps(get_node)
    def get_node_soon(gcs_address: str, node_id: str) -> Any:
        nodes = internals.node_lister(gcs_address)
        deadline = time.monotonic() + _NODE_SECONDS
        while time.monotonic() < deadline:
            if node_id in nodes():
                break
            time.sleep(_NODE_PAUSE)
        return get_node(gcs_address, node_id)

    return get_node_soon
