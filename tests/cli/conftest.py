"""Commands as a shell runs them, and a job that runs meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import unique

COMMAND = [sys.executable, "-c", "from raystream.cli.app import main; main()"]

JOB = """\
import raystream as rs
p = rs.Pipeline("{name}", checkpoint_interval="300ms", checkpoint_storage="{here}/state")
schema = {{"ts": int, "key": str}}
def talk(row):
    if row["ts"] % 200 == 0:
        print("a user prints", row["key"])
    return row
rows = p.read(rs.Datagen(rate=50, start_ms=1_700_000_040_000), event_time="ts", schema=schema)
counts = rows.map(talk, schema=schema).key_by("key").window(rs.tumbling("1h")).agg(n=rs.count())
counts.write(rs.Files("{here}/out"))
"""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


def raystream(*arguments: str, environment: Mapping[str, str] | None = None) -> Done:
    """Run a command in a process of its own."""
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, env=env, timeout=120, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def started(
    command: list[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command that is ended with the block, whatever happens in it."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=180)


@dataclass(frozen=True, slots=True)
class Running:
    """A `raystream run` in the foreground of another process."""

    name: str
    address: str
    command: list[str]
    storage: Path
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def running(ray_head: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A job without an end, which has made a checkpoint."""
    here, name = tmp_path_factory.mktemp("running"), unique("job")
    (here / "job.py").write_text(JOB.format(name=name, here=here))
    command = [*COMMAND, "run", f"{here}/job.py:p", "--address", ray_head, "--parallelism", "1"]
    with started(command) as process:
        wait_for_checkpoint(here / "state" / name, process)
        yield Running(name, ray_head, command, here / "state" / name, process)


def wait_for_checkpoint(storage: Path, process: subprocess.Popen[str]) -> None:
    before, deadline = set(storage.glob("done-*")), time.monotonic() + 90
    while not set(storage.glob("done-*")) - before:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)


_MANY = """
import contextlib, io, json, sys
from raystream.cli.app import main
done = []
for command in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(command)
        except SystemExit as ended:
            done.append((ended.code, out.getvalue(), err.getvalue()))
print(json.dumps(done))
"""


def raystream_many(
    address: str | None, *commands: list[str], environment: Mapping[str, str] | None = None
) -> list[Done]:
    """Several commands in one process: it joins the cluster once."""
    where = ["--address", address] if address else []
    asked = json.dumps([[*command, *where] for command in commands])
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(
        [sys.executable, "-c", _MANY, asked],
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=True,
    )
    return [Done(*each) for each in json.loads(done.stdout.splitlines()[-1])]
