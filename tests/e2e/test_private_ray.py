"""Ray itself dies under a run: a private one is replaced, a standing one ends the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from raystream.runtime.ray.session import end_session, members
from tests.conftest import standing_ray
from tests.support.chaos import JobProcess, send, until
from tests.support.processes import RAY_PARTS, family, ray_part

pytestmark = pytest.mark.timeout(900)

ROWS = 16_000
DEATHS = [(part, signal.SIGKILL) for part in RAY_PARTS[:3]]
"""One after another in one run."""

JOB = """
import raystream as rs

p = rs.Pipeline("private", checkpoint_interval="1s", checkpoint_storage="{place}/state")
(p.read(rs.Datagen(rate=2000, rows={rows}, cardinality=50))
  .key_by("key").window(rs.tumbling("1s")).agg(n=rs.count())
  .write(rs.Files("{place}/out")))
"""


def job(place: Path, rows: int | None, *arguments: str) -> JobProcess:
    file = place / "job.py"
    file.write_text(JOB.format(place=place, rows=rows))
    home = {} if arguments[:1] == ("--address",) else {"HOME": str(place)}  # a token is in it
    return JobProcess(f"{file}:p", arguments, home)


def commits(place: Path) -> int:
    """Number of the last one; those before it are deleted."""
    return max((int(p.name[-10:]) for p in (place / "state").glob("private/done-*")), default=0)


def commit_again(place: Path, process: JobProcess) -> None:
    before = commits(place)
    until(lambda: commits(place) > before or not process.running(), 90, "commit")


def session(process: JobProcess) -> int:
    """Of the driver below it."""
    return next(os.getsid(one.pid) for one in family(process.pid) if one.parent == process.pid)


def test_whatever_of_a_private_ray_dies_the_job_goes_on_and_is_exact(tmp_path: Path) -> None:
    with job(tmp_path, ROWS, "--until", "latest") as process:
        commit_again(tmp_path, process)
        assert open_to_others(process.pid) == []
        for part, how in DEATHS:
            commit_again(tmp_path, process)
            told = process.output().count("Ray died (")
            assert send(ray_part(process.pid, part), how)
            word = f"word of {part}: {process.output()}"
            until(lambda n=told: process.output().count("Ray died (") > n, 30, word)
        last = session(process) if process.running() else 0
        assert process.wait(120) == 0, process.output()
        said = process.output().splitlines()
        assert not last or members(last) == []
    deaths = [line for line in said if line.startswith("Ray died (")]
    assert len(deaths) >= len(DEATHS), said  # a start on a busy machine may fail, too
    expected = ("private", "starting Ray, ", "Ray died (", "finished, ")
    assert all(line.startswith(expected) for line in said), said
    rows: Counter[tuple[str, int]] = Counter()
    for part in (tmp_path / "out").glob("part-*"):
        for row in map(json.loads, part.read_text().splitlines()):
            assert (row["key"], row["window_start"]) not in rows
            rows[row["key"], row["window_start"]] = row["n"]
    assert rows.total() == ROWS
    assert f"finished, read {ROWS}, written {len(rows)}, restarts" in said[-1]
    assert (tmp_path / ".raystream" / "logs" / "private.ray.log").stat().st_mode & 0o077 == 0


SUBMITTED = """
import runpy, sys, time
import raystream as rs
from raystream.errors import RaystreamError

p = runpy.run_path({file!r})["p"]
job = p.submit()
assert p.submit().name == job.name
sys.stdin.readline()
assert not __import__("ray").is_initialized()  # who is connected dies with the raylet
before = job.checkpoint()
print("go", flush=True)
sys.stdin.readline()
while job.status().state != "running":
    time.sleep(0.1)
assert job.checkpoint() > before
assert rs.job("private").status().run == job.status().run
assert [each.name for each in rs.jobs()] == ["private"]
assert next(iter(job.tail("read-rows", limit=1, timeout=60)))["key"]
assert job.logs(5)
print(job.savepoint(), flush=True)
try:
    job.stop(savepoint="memory://no")
except RaystreamError as error:
    print(error, flush=True)
print(job.stop(drain=True).kind, job.status().state, flush=True)
print(p.submit().cancel().kind, flush=True)
"""


def test_a_job_in_the_background_is_kept_alive_too(tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    file.write_text(JOB.format(place=tmp_path, rows=None))
    with Script(SUBMITTED.format(file=str(file)), tmp_path) as script:
        script.tell("began")
        assert script.line() == "go"
        assert send(ray_part(script.pid, "raylet"), signal.SIGKILL)
        until(lambda: "Ray died (" in script.errors(), 15, "word of the death")
        script.tell("it died")
        assert Path(script.line()).is_dir()
        assert "a savepoint in memory would end with this process" in script.line()
        assert [script.line(), script.line()] == ["stopped ended", "cancelled"]
        assert script.ends() == 0
    said = script.errors().splitlines()
    expected = ("private", "starting Ray, ", "Ray died (", "resumed", "continues")
    assert all(line.startswith(expected) for line in said), said


class Script:
    """Python code in a process of its own, of which lines are read and to which they are told."""

    def __init__(self, code: str, home: Path) -> None:
        self._errors = home / "errors"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "HOME": str(home)},
            )
        self.pid = self._process.pid

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        sessions = {os.getsid(one.pid) for one in family(self.pid)} - {os.getsid(0)}
        self._process.kill()
        self._process.communicate()
        for each in sessions:
            end_session(each)

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip() or self.errors()

    def errors(self) -> str:
        return self._errors.read_text()

    def ends(self) -> int:
        return self._process.wait(30)


def test_ctrl_c_ends_a_run_at_every_moment(tmp_path: Path) -> None:
    with job(tmp_path, None) as process:  # while Ray starts
        time.sleep(3.0)
        assert seconds_to_stop(process, 4) < 5
        assert "cancelled before it started" in process.output()
    with job(tmp_path, None) as process:
        commit_again(tmp_path, process)
        assert send(ray_part(process.pid, "gcs_server"), signal.SIGSTOP)
        time.sleep(1.0)
        assert seconds_to_stop(process, 0, 1) < 5  # before anybody has noticed
    with job(tmp_path, None) as process:
        commit_again(tmp_path, process)
        assert send(ray_part(process.pid, "raylet"), signal.SIGKILL)
        until(lambda: "Ray died" in process.output(), 15, "word of the death")
        assert seconds_to_stop(process, 1) < 5  # while another starts
        assert process.output().splitlines()[-1].startswith("Ray died before a last commit; ")


def seconds_to_stop(process: JobProcess, *codes: int) -> float:
    began = time.monotonic()
    process.stop()
    assert process.wait(20) in codes, process.output()
    return time.monotonic() - began


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_standing_cluster_that_is_lost_ends_the_run_with_one_line(
    tmp_path: Path, how: signal.Signals
) -> None:
    with standing_ray() as (head, address):
        with job(tmp_path, None, "--address", address) as process:
            commit_again(tmp_path, process)
            began = time.monotonic()
            assert send(ray_part(head, "gcs_server"), how)
            assert process.wait(30) == 1, process.output()
            assert time.monotonic() - began < 15
            said = process.output().splitlines()
        end_session(head)
    assert said[-1].startswith(f"the Ray cluster at {address} is lost: ")
    expected = ("private", "joining the", "failed", "the Ray cluster")
    assert all(line.startswith(expected) for line in said), said


def open_to_others(root: int) -> list[str]:
    """Addresses at which a process or one below it listens, but for loopback."""
    found = []
    inodes = {inode for one in family(root) for inode in sockets(one.pid)}
    for table, loopback in (("tcp", ("0100007F",)), ("tcp6", ("0100007F", "01000000"))):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            place, state, inode = fields[1], fields[3], fields[9]
            listens = state == "0A" and inode in inodes
            if listens and not place.partition(":")[0].endswith(loopback):
                found.append(place)
    return found


def sockets(pid: int) -> list[str]:
    """Inodes of the sockets of a process."""
    found = []
    for fd in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:["):
            found.append(target[8:-1])
    return found
