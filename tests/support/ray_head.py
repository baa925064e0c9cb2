"""A Ray head as `ray start --head` makes it, with a token and the dashboard that takes jobs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support import processes
from tests.support.broker.ports import free_ports
from tests.support.chaos import send

_START_SECONDS = 90.0
_WORKERS_LAST_PORT = 19_999
_WATCH = 'read _; kill -TERM "$1"; sleep 10; rm -rf "$2"'
"""Once the last copy of its input is closed: when the tests were killed."""

_READY = "Ray runtime started"


class RayHead:
    """A cluster of one node; a context manager that leaves no process behind.

    Args:
        cpus: Of the node.
        token: Whether it asks for the token; clients have one all the same.

    Attributes:
        url: Of the dashboard, where jobs are submitted.
        address: Of the head.
        environment: What a client needs: where it is, the token, this Python's commands.
    """

    def __init__(self, cpus: int = 4, *, token: bool = True) -> None:
        # Ray's sockets are in it, and their paths may have 107 characters
        self._home = Path(tempfile.mkdtemp(prefix="rs-", dir="/tmp"))
        usable = [port for port in free_ports(40) if port > _WORKERS_LAST_PORT]
        head, dashboard, agent, client = usable[:4]
        self._token = secrets.token_hex(32)
        (self._home / "token").write_text(self._token)
        self.url = f"http://127.0.0.1:{dashboard}"
        self.address = f"127.0.0.1:{head}"
        commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
        self.environment = {
            **inherited,
            "PATH": commands,
            "RAY_TMPDIR": str(self._home),
            **({"RAY_AUTH_MODE": "token"} if token else {}),
            "RAY_AUTH_TOKEN_PATH": str(self._home / "token"),
            "RAY_API_SERVER_ADDRESS": self.url,
        }
        ports = {
            "--port": head,
            "--dashboard-port": dashboard,
            "--dashboard-agent-listen-port": agent,
            "--ray-client-server-port": client,
            "--num-cpus": cpus,
            "--object-store-memory": 120_000_000,
        }
        options = [str(part) for option in ports.items() for part in option]
        with (self._home / "head.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["ray", "start", "--head", "--block", "--disable-usage-stats", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"RAY_AUTH_MODE": "disabled", **self.environment, "RAY_worker_niceness": "0"},
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "raystream-watchdog", str(self._process.pid), self._home],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._wait_ready()
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Self:
        """The head itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every process of it."""
        self.end()

    def end(self) -> None:
        """Leave neither processes nor files."""
        self._watchdog.kill()
        self._watchdog.communicate()
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL to all of it at once, as when the machine dies."""
        while members := [p for p in processes.family(self._process.pid) if p.command]:
            for member in members:
                send(member, signal.SIGKILL)
            self._process.poll()
            time.sleep(0.02)
        self._process.wait()

    def subtasks(self, *chains: str) -> list[processes.Process]:
        """Subtasks of these chains that run on it."""
        return processes.subtasks(self._process.pid, chains)

    def job(self, submission_id: str) -> dict[str, Any]:
        """What Ray tells of a submitted job: `status`, `message`, `driver_exit_code`, .."""
        found: dict[str, Any] = self._asked(f"/api/jobs/{submission_id}")
        return found

    def logs(self, submission_id: str) -> str:
        """Output of a submitted job."""
        return str(self._asked(f"/api/jobs/{submission_id}/logs")["logs"])

    def stop(self, submission_id: str) -> None:
        """What `ray job stop` asks for."""
        self._asked(f"/api/jobs/{submission_id}/stop", method="POST")

    def _asked(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def _wait_ready(self) -> None:
        log, deadline = self._home / "head.log", time.monotonic() + _START_SECONDS
        while _READY not in log.read_text(errors="replace"):
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                message = f"the Ray head did not start: {said}"
                raise TimeoutError(message)
            time.sleep(0.05)
