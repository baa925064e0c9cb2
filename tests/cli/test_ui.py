"""`raystream ui`: a process that shows a job of a real cluster, and ends without hurting it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cli.conftest import COMMAND, Running, raystream


@contextmanager
def page(*arguments: str) -> Iterator[str]:
    """The address that it prints; ends it as Ctrl-C does."""
    process = subprocess.Popen([*COMMAND, "ui", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def get(address: str) -> Any:
    """The answer, as JSON if it is."""
    with urllib.request.urlopen(address, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith("{") else text


def test_it_shows_a_running_job_and_its_rows(running: Running) -> None:
    with page("--address", running.address) as address:
        deadline = time.monotonic() + 60
        while running.name not in {job["job"] for job in get(f"{address}api/v1/jobs")["jobs"]}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
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
