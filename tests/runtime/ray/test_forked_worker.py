"""Workers of a private Ray are forks of one process that has imported everything."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raystream.runtime.ray import forked_worker
from tests.support.processes import process

_WORKER = """
import json, os, random, sys
mine = [option for option in sys.argv if option.startswith("--to=")][0].removeprefix("--to=")
told = {"arguments": sys.argv, "name": __name__, "parent": os.getppid(), "pid": os.getpid(),
        "group": os.getpgid(0),
        "path": sys.path[0], "asked": os.environ.get("ASKED"), "random": random.random(),
        "loaded": "decimal" in sys.modules}
with open(mine + ".new", "w") as file:
    json.dump(told, file)
os.rename(mine + ".new", mine)
"""


class Raylet:
    """Starts workers as a raylet does, from a process of its own that can be killed.

    Args:
        home: For sockets and answers.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        (home / "worker.py").write_text(_WORKER)
        (home / "setup_worker.py").write_text("import sys\nopen(sys.argv[-1][5:], 'w').write('{}')")
        code = (
            "import json, subprocess, sys\n"
            "for line in sys.stdin: subprocess.Popen(json.loads(line)[0], env=json.loads(line)[1])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, text=True, bufsize=1
        )

    def start(self, name: str, *options: str, preload: str = "decimal", **more: str) -> Any:
        """Start a worker; what it says of itself."""
        answer = self._home / name
        loads = [f"--worker-preload-modules={preload}"] if preload else []
        command = [
            *(sys.executable, "-I", "-S", forked_worker.__file__),
            *(sys.executable, str(self._home / "setup_worker.py"), str(self._home / "worker.py")),
            *(f"--raylet-name={self._home}/raylet", *loads, *options, f"--to={answer}"),
        ]
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([command, {**os.environ, **more}]) + "\n")
        deadline = time.monotonic() + 60
        while not answer.exists():
            assert time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.02)
        return json.loads(answer.read_text() or "{}")

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def raylet(tmp_path: Path) -> Iterator[Raylet]:
    found = Raylet(tmp_path)
    yield found
    found.end()


def test_workers_are_forks_of_one_process_with_arguments_and_environment_of_their_own(
    raylet: Raylet, tmp_path: Path
) -> None:
    language = "--language=PYTHON"
    first = raylet.start("first", language, ASKED="1")
    second = raylet.start("second", "--more", language, ASKED="2")
    assert first["parent"] == second["parent"] != raylet.process.pid
    assert first["pid"] != second["pid"]
    assert (first["group"], second["group"]) == (first["pid"], second["pid"])
    parent = process(first["parent"])
    assert parent is not None
    assert parent.parent == raylet.process.pid
    assert (first["asked"], second["asked"]) == ("1", "2")
    worker = str(tmp_path / "worker.py")
    assert (second["arguments"][0], second["arguments"][-2]) == (worker, "--more")
    assert (second["name"], second["path"]) == ("__main__", str(tmp_path))
    assert (first["loaded"], second["loaded"]) == (True, True)
    assert first["random"] != second["random"]


def test_the_process_that_forks_ends_with_its_raylet(raylet: Raylet) -> None:
    parent = raylet.start("first")["parent"]
    raylet.end()
    assert _gone(parent)


def test_after_its_death_another_one_forks(raylet: Raylet) -> None:
    parent = raylet.start("first")["parent"]
    os.kill(parent, signal.SIGKILL)
    assert raylet.start("second")["parent"] not in (parent, raylet.process.pid)


def test_a_worker_that_nobody_answers_starts_by_itself(raylet: Raylet, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "raystream"))
        server.listen()
        asked: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: asked.append(raylet.start("first", ASKED="1")))
        thread.start()
        server.accept()[0].close()
        thread.join()
    assert asked == [{}]  # what Ray would have run


def test_nothing_to_load_or_an_environment_is_left_to_ray(raylet: Raylet) -> None:
    assert raylet.start("plain", preload="") == {}
    context = '--serialized-runtime-env-context={"env_vars": {"A": "1"}}'
    assert raylet.start("environment", context) == {}


def _gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = process(pid)
        if found is None or not found.command:
            return True
        time.sleep(0.05)
    return False
