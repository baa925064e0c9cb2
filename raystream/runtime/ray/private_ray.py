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
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import ray

_OBJECT_STORE = 256 * 1024 * 1024
"""Rows do not go through the object store; snapshots use it for a few segments at a time."""

_AGENTS = ("--dashboard_agent_command", "--runtime_env_agent_command")
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
    # Preloaded while the driver connects; each worker becomes a coordinator or a subtask.
    os.environ.setdefault("RAY_preload_python_modules", "raystream.runtime.ray.subtask")
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
    try:
        from ray._private import ray_constants
    except ImportError:
        return
    if hasattr(ray_constants, "ENABLE_RAY_CLUSTER"):
        setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)  # noqa: B010 - it has no type


@contextmanager
def lean_start() -> Iterator[None]:
    """Start Ray without unneeded services, which take most of the CPU of a start.

    They are the autoscaler (for one node), the dashboard (started although not requested), the log
    monitor that sends logs to drivers, and the agents (see `resting_agent`). They also take ports
    that others may use.
    """
    try:
        from ray._private import services, utils
        from ray._private.node import Node
    except ImportError:
        yield
        return
    _started.clear()
    with ExitStack() as changes:
        for name in ("start_monitor", "start_api_server", "start_log_monitor"):
            changes.enter_context(_replaced(Node, name, lambda _: _nothing))
        # Ray's own check imports half a dashboard
        told = _replaced(utils, "get_dashboard_dependency_error", lambda _: _no_dashboard)
        changes.enter_context(told)
        changes.enter_context(_replaced(services, "start_ray_process", _lean_raylet))
        changes.enter_context(_replaced(services, "get_node", _promptly))
        yield


@contextmanager
def _replaced(owner: Any, name: str, other: Callable[[Any], Any]) -> Iterator[None]:
    before = getattr(owner, name, None)
    if before is None:
        yield
        return
    setattr(owner, name, other(before))
    try:
        yield
    finally:
        setattr(owner, name, before)


def _lean_raylet(start: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap Ray's function that starts a process."""

    @wraps(start)
    def start_ray_process(command: list[str], *said: Any, **more: Any) -> Any:
        started = start([lean(part) for part in command], *said, **more)
        _started.append((os.path.basename(command[0]), started.process))
        return started

    return start_ray_process


def lean(part: str) -> str:
    """Change a part of a raylet's command: resting agents, and few prestarted workers.

    >>> lean("--node_ip_address=127.0.0.1"), lean("--num_prestart_python_workers=64")
    ('--node_ip_address=127.0.0.1', '--num_prestart_python_workers=1')
    """
    option, _, agent = part.partition("=")
    if option not in _AGENTS:
        return _FEWER.get(option, part)
    front = [sys.executable, "-I", "-S", str(Path(__file__).with_name("resting_agent.py"))]
    return f"{option}={subprocess.list2cmdline(front)} {agent}"


def _promptly(get_node: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Wrap Ray's lookup of the new node, which sleeps for a second when it is called too early."""

    @wraps(get_node)
    def get_node_soon(gcs_address: str, node_id: str) -> Any:
        from ray._private import services, state

        known: Any = state.GlobalState()  # type: ignore[no-untyped-call]
        options: Any = services._get_gcs_client_options  # noqa: SLF001 - Ray's own way
        known._initialize_global_state(options(gcs_address))  # noqa: SLF001
        deadline = time.monotonic() + _NODE_SECONDS
        while time.monotonic() < deadline:
            if any(node["NodeID"] == node_id for node in known.node_table()):
                break
            time.sleep(_NODE_PAUSE)
        return get_node(gcs_address, node_id)

    return get_node_soon


def _no_dashboard() -> ImportError:
    """The result that Ray gets where it was installed without a dashboard."""
    return ImportError("a private cluster has none")


def _nothing(*_: object, **__: object) -> None:
    """Start nothing."""
