"""Ray itself dies under a run: a private one is replaced, a standing one ends the run."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from raystream.runtime.ray.session import end_session, members
from raystream.testing.chaos import JobProcess, send, until
from raystream.testing.processes import RAY_PARTS, family, ray_part
from tests.conftest import standing_ray

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
