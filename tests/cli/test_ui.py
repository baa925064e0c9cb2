"""`raystream ui`: a process that shows a job of a real cluster, and ends without hurting it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.cli.conftest import COMMAND, Running, raystream

LAST_LINE = "the page is closed; jobs run on"


@contextmanager
def page(
    *arguments: str,
    end: signal.Signals = signal.SIGINT,
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The address that it prints; ends it as Ctrl-C does."""
    pipe = subprocess.PIPE
    command = [*COMMAND, "ui", *arguments]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
            process.send_signal(end)
            _, said = process.communicate(timeout=30)
            assert (process.returncode, said.splitlines()[-1:]) == (0, [LAST_LINE])
        finally:
            process.kill()


def wait_for(name: str, address: str) -> None:
    """Until the page knows the job."""
    deadline = time.monotonic() + 60
    while name not in {job["job"] for job in get(f"{address}api/v1/jobs")["jobs"]}:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def get(address: str) -> Any:
    """The answer, as JSON if it is."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith("{") else text


def test_it_shows_a_running_job_and_its_rows(running: Running) -> None:
    with page("--address", running.address) as address:
        wait_for(running.name, address)
        told = get(f"{address}api/v1/jobs/{running.name}")
        assert (told["state"], told["silent_s"]) == ("running", None)
        assert told["status"]["checkpoint"]["number"] >= 1
        assert len(told["history"]) >= 1
        step = told["status"]["steps"][0]["name"]
        path = f"{address}api/v1/jobs/{running.name}/steps/{step}/rows"
        marks: Any = {}
        while True:
            found = get(f"{path}?{urllib.parse.urlencode({'marks': json.dumps(marks)})}")
            marks = found["marks"]
            if found["rows"]:
                break
            time.sleep(0.2)
        assert f'raystream_job_up{{job="{running.name}"}} 1' in get(f"{address}metrics")
    assert raystream("status", running.name, "--address", running.address).code == 0


def test_a_port_that_is_taken_is_said() -> None:
    with page() as address:
        port = address.rstrip("/").rpartition(":")[2]
        done = raystream("ui", "--port", port)
        assert done.code == 2
        assert f"cannot listen on 127.0.0.1:{port}" in done.err
        assert "--port 0 takes any free one" in done.err


def test_sigterm_ends_it_as_ctrl_c_does_also_once_it_is_connected(running: Running) -> None:
    with page("--address", running.address, end=signal.SIGTERM) as address:
        wait_for(running.name, address)


def test_a_wildcard_is_shown_as_the_name_of_the_machine() -> None:
    for wildcard, here in (("0.0.0.0", "127.0.0.1"), ("::", "[::1]")):
        with page("--host", wildcard, "--token", "t") as address:
            shown = urllib.parse.urlsplit(address)
            assert shown.hostname == socket.gethostname().lower()
            local = f"http://{here}:{shown.port}/api/v1/jobs?token=t"
            assert "jobs" in get(local)
