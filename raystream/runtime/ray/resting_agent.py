"""A small idle program that a private Ray starts instead of its agents.

A raylet accepts no work before its two agents run: 3 s of CPU at each start, for metrics that
nobody collects and for runtime environments that no worker of a job requests. This program imports
neither Ray nor raystream, and gives the raylet the ports that it waits for. If a user function does
request an environment, it is served: at the first connection this program becomes the real agent.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
from collections.abc import Sequence

_LOOK = 0.5
_NONE = -1
"""Port value of services that a Ray installation without a dashboard does not have."""

_PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port")


def main(command: Sequence[str]) -> None:
    """Run the process; it ends with its raylet.

    Args:
        command: Command line of the agent that it replaces.
    """
    parent = os.getppid()
    if any(part.endswith(os.path.join("dashboard", "agent.py")) for part in command):
        _be_called("ray::DashboardAgent")
        for name in _PORTS:
            _persist(command, name, _NONE)
        while os.getppid() == parent:
            select.select((), (), (), _LOOK)
    else:
        _be_called("ray::RuntimeEnvAgent")
        port = _knocked(command, parent)
        if port is not None:
            os.execv(command[0], [*command, f"--runtime-env-agent-port={port}"])


def _knocked(command: Sequence[str], parent: int) -> int | None:
    """Wait for a connection and return its port; None: the raylet is gone."""
    host = _option(command, "node-ip-address")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = int(server.getsockname()[1])
        _persist(command, "runtime_env_agent_port", port)
        while os.getppid() == parent:
            if select.select((server,), (), (), _LOOK)[0]:
                return port
    return None


def _persist(command: Sequence[str], name: str, port: int) -> None:
    """Write a port where the raylet looks for it (ray._raylet.persist_port), atomically."""
    path = os.path.join(_option(command, "session-dir"), f"{name}_{_option(command, 'node-id')}")
    with open(f"{path}.new", "w") as file:
        file.write(str(port))
    os.replace(f"{path}.new", path)


def _option(command: Sequence[str], name: str) -> str:
    front = f"--{name}="
    return next(part for part in command if part.startswith(front)).removeprefix(front)


def _be_called(title: str) -> None:
    """Set the process title that `ps` shows for the real agent."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/stat") as stat:
        first, end = map(int, stat.read().rpartition(")")[2].split()[45:47])
        with open("/proc/self/mem", "r+b", 0) as memory:
            memory.seek(first)
            memory.write(title.encode().ljust(end - first, b"\0"))


if __name__ == "__main__":
    main(sys.argv[1:])
