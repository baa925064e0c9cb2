"""Whole jobs on real Ray: the right answer, whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import ray

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.errors import ConfigurationError
from raystream.job.messages import StopKind
from raystream.job.spec import JobSpec
from raystream.observe.status import StatusDocument
from raystream.runtime.ray.entry import find, names, run, submit
from raystream.runtime.ray.serialization import pack_job
from tests.runtime.ray.conftest import processes
from tests.runtime.ray.jobs import counting, expected, written
from tests.support.points import environment, happened

pytestmark = pytest.mark.usefixtures("ray_cluster")


class Timeline:
    """Status documents of a run, with the time each came; acts once when a condition holds."""

    def __init__(self, act: Callable[[], None] = lambda: None, checkpoint: int = 2) -> None:
        self.seen: list[tuple[float, StatusDocument]] = []
        self._act, self._checkpoint = act, checkpoint
        self.acted: float | None = None

    def __call__(self, status: StatusDocument) -> None:
        self.seen.append((time.monotonic(), status))
        if self.acted is None and (status.checkpoint.number or 0) >= self._checkpoint:
            self.acted = time.monotonic()
            self._act()


def exact(job: JobSpec, directory: Path) -> None:
    got, want = written(directory), expected(job)
    assert got == want, f"missing {want - got}, too much {got - want}"


def kill_one(title: str, sign: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    return lambda: os.kill(processes(title)[0], sign)


def test_a_job_gives_the_right_answer_and_leaves_no_process(tmp_path: Path) -> None:
    job = counting(tmp_path, rows=3000, parallelism=2, name="calm")
    timeline = Timeline()
    outcome = run(job, on_status=timeline)
    assert (outcome.kind, outcome.restarts, outcome.rows_in) == ("finished", 0, 3000)
    exact(job, tmp_path)
    eventually(lambda: not processes("read") and not processes("count"))
    assert find("calm") is None
    last = timeline.seen[-1][1].checkpoint
    assert last.completed >= 1
    assert last.duration_s > 0
    assert last.ack_s + last.commit_s == pytest.approx(last.duration_s)


def test_a_frozen_subtask_is_ended_and_replaced(tmp_path: Path) -> None:
    job = counting(tmp_path, rows=8000, rate=1000.0, name="frozen")  # outlives a slow status
    patient = replace(job, liveness_timeout=60.0)
    timeline = Timeline(kill_one("count", signal.SIGSTOP))
    outcome = run(patient, on_status=timeline)
    assert (outcome.kind, outcome.restarts) == ("finished", 1)
    assert "its process stands still" in timeline.seen[-1][1].restarts[0].cause
    exact(job, tmp_path)
    eventually(lambda: not processes("count"))


SUBTASKS = ["aligned@read:2", "barrier passed on@count:2", "acked@count:3"]
COORDINATOR = ["create manifest done@coordinator:2", "before done@coordinator:1"]


@pytest.mark.parametrize("orders", [SUBTASKS, COORDINATOR], ids=["subtasks", "coordinator"])
def test_kills_at_named_points_lose_and_repeat_nothing(tmp_path: Path, orders: list[str]) -> None:
    (tmp_path / "markers").mkdir()
    job = counting(tmp_path, rows=6000, name="points")
    timeline = Timeline()
    outcome = run(
        job, on_status=timeline, points=environment(";".join(orders), tmp_path / "markers")
    )
    assert outcome.kind == "finished"
    assert happened(tmp_path / "markers") == sorted(orders)
    assert timeline.seen[-1][1].attempt == len(orders)
    exact(job, tmp_path)
    assert (outcome.rows_in, outcome.rows_out) == (6000, expected(job).total())


def test_a_job_with_a_large_table_outlives_its_coordinator(tmp_path: Path) -> None:
    job = counting(tmp_path, rows=6000, name="table", function=looked_up(10_000))
    assert len(pack_job(job)) > 300_000
    (tmp_path / "markers").mkdir()
    deaths = environment(";".join(COORDINATOR), tmp_path / "markers")
    timeline = Timeline()
    assert run(job, on_status=timeline, points=deaths).kind == "finished"
    assert happened(tmp_path / "markers") == sorted(COORDINATOR)
    assert timeline.seen[-1][1].attempt == len(COORDINATOR)
    exact(job, tmp_path)


def test_an_error_of_user_code_ends_the_job_with_the_users_own_line(tmp_path: Path) -> None:
    job = counting(tmp_path, rows=2000, name="user-error", function=divide_by_zero)
    outcome = run(job)
    assert outcome.kind == "failed"
    assert "ZeroDivisionError" in outcome.message
    assert outcome.message.splitlines()[-1].count("test_job.py:") == 1
    assert len(outcome.message.splitlines()) <= 10


def test_ctrl_c_stops_with_a_last_commit_and_the_next_run_goes_on(tmp_path: Path) -> None:
    endless = counting(tmp_path, rows=None, name="stopped")
    outcome = run(endless, on_status=Timeline(lambda: os.kill(os.getpid(), signal.SIGINT)))
    assert outcome.kind == "stopped"
    assert outcome.checkpoint is not None
    later = Timeline(lambda: os.kill(os.getpid(), signal.SIGTERM), outcome.checkpoint + 2)
    again = run(endless, on_status=later)
    assert again.kind == "stopped"
    assert again.checkpoint is not None
    assert again.checkpoint > outcome.checkpoint
    assert later.seen[-1][1].checkpoint.size_bytes > 0  # of the windows that stay open
    rows = written(tmp_path)
    assert rows
    assert set(rows.values()) == {1}


def test_twice_ctrl_c_stops_at_once(tmp_path: Path) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    outcome = run(counting(tmp_path, rows=None, name="twice"), on_status=Timeline(twice, 0))
    assert (outcome.kind, outcome.exit_code) == ("cancelled", 4), outcome.message
    eventually(lambda: not processes("read") and find("twice") is None)


def test_a_second_copy_on_the_cluster_is_refused(tmp_path: Path) -> None:
    first = counting(tmp_path, rows=None, name="twin")
    refusals: list[ConfigurationError] = []

    def again() -> None:
        with pytest.raises(ConfigurationError) as caught:
            run(first)
        refusals.append(caught.value)
        os.kill(os.getpid(), signal.SIGINT)

    assert run(first, on_status=Timeline(again, 1)).kind == "stopped"
    assert "job twin runs on this Ray cluster already, started by" in str(refusals[0])
    assert f"process {os.getpid()}" in str(refusals[0])
    assert refusals[0].exit_code == 2


def test_death_of_the_driver_ends_the_job_and_the_same_command_goes_on(
    tmp_path: Path, ray_cluster: str
) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path), ray_cluster],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
    )
    assert driver.stdout is not None
    driver.stdout.readline()
    driver.kill()
    driver.wait()
    driver.stdout.close()
    eventually(lambda: not processes("read") and find("driven") is None)
    job = counting(tmp_path, rows=6000, rate=1500.0, name="driven")
    assert run(job).kind == "finished"
    exact(job, tmp_path)


def test_a_detached_job_outlives_its_driver(tmp_path: Path, ray_cluster: str) -> None:
    job = counting(tmp_path, rows=4000, name="detached")
    assert run(job, detached=True).kind == "submitted"
    coordinator = find("detached")
    assert coordinator is not None
    outcome = ray.get(coordinator.wait.remote(), timeout=30)
    assert outcome.kind == "finished"
    exact(job, tmp_path)
    # Its name is free for the next run, although nobody cleared the ended one away.
    assert run(counting(tmp_path, rows=4000, name="detached")).kind == "finished"
    exact(job, tmp_path)


def test_a_submitted_job_is_found_by_its_name(tmp_path: Path) -> None:
    job = counting(tmp_path, rows=2000, name="submitted")
    coordinator = submit(job)
    assert "submitted" in names()
    assert find("submitted") == coordinator
    assert ray.get(coordinator.wait.remote(), timeout=60).kind == "finished"
    exact(job, tmp_path)
    (pid,) = processes("Coordinator")
    eventually(lambda: "submitted" not in names(), 30)  # nobody ends it: it goes by itself
    eventually(lambda: pid not in processes("Coordinator"))


ROW_S = 0.25


def slow_row(row: dict[str, Any]) -> dict[str, Any]:
    time.sleep(ROW_S)
    return {"n": row["value"]}


def test_a_barrier_and_a_stop_pass_a_slow_function_within_a_second_and_a_row(
    tmp_path: Path,
) -> None:
    """Behind an exchange; a barrier waits for no batch, and no subtask for another one's rows."""
    (tmp_path / "out").mkdir()
    p = rs.Pipeline("slow", checkpoint_interval="1s")
    rows = p.read(rs.Datagen(rate=None, schema={"value": int}))
    rows = rows.map(slow_row, schema={"n": int}, parallelism=3, name="slow")
    rows.write(rs.Files(str(tmp_path / "out"), format="json"), name="out")
    job = prepare(p, RunOptions(), str(tmp_path / "state"), 2)
    assert job is not None
    coordinator = submit(job)
    taken: list[float] = []

    def checkpoints() -> list[float]:
        status = ray.get(coordinator.status.remote(), timeout=30)
        history = () if status is None else status.checkpoint.history
        taken[:] = [one.duration_s for one in history if one.state == "completed"]
        return taken

    eventually(lambda: len(checkpoints()) >= 3, 60)
    began = time.monotonic()
    ray.get(coordinator.stop.remote(StopKind.STOP), timeout=30)
    outcome = ray.get(coordinator.wait.remote(), timeout=60)
    stopped = time.monotonic() - began
    ray.kill(coordinator)
    assert outcome.kind == "stopped"
    assert outcome.rows_in == outcome.rows_out > 0
    assert max(taken[1:]) <= 1 + ROW_S + MACHINE_S, taken
    assert stopped <= 1 + ROW_S + MACHINE_S + 1


MACHINE_S = 1.5
"""What a busy machine may add to commit and calls."""


def test_a_job_submitted_to_a_private_cluster_lives_as_long_as_its_process(tmp_path: Path) -> None:
    """Its handle is dropped at once, as in a cell of a notebook."""
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["finished"], done.stderr
    exact(counting(tmp_path, rows=1000, name="private"), tmp_path)


def test_a_frozen_coordinator_of_a_detached_job_is_replaced(tmp_path: Path) -> None:
    """Nobody looks at it but its own subtasks."""
    job = counting(tmp_path, rows=None, name="watched")
    coordinator = submit(job)

    def commits() -> int:
        return max((int(p.name[-10:]) for p in tmp_path.rglob("done-*")), default=0)

    eventually(lambda: commits() >= 2, 60)
    kill_one("Coordinator", signal.SIGSTOP)()
    before = commits()
    eventually(lambda: commits() >= before + 2, 60)
    ray.get(coordinator.stop.remote(StopKind.DRAIN), timeout=30)
    assert ray.get(coordinator.wait.remote(), timeout=30).kind == "stopped"
    ray.kill(coordinator)
    rows = written(tmp_path)
    assert rows
    assert set(rows.values()) == {1}


NOTEBOOK = """
import gc, sys
from pathlib import Path
import ray
from raystream.runtime.ray.entry import find, submit
from tests.runtime.ray.jobs import counting

submit(counting(Path(sys.argv[1]), rows=1000, name="private"), "local")
gc.collect()
print(ray.get(find("private").wait.remote(), timeout=60).kind)
"""

DRIVER = """
import sys
from pathlib import Path
from raystream.runtime.ray.entry import run
from tests.runtime.ray.jobs import counting

def tell(status):
    if (status.checkpoint.number or 0) >= 1:
        print("running", flush=True)

job = counting(Path(sys.argv[1]), rows=6000, rate=1500.0, name="driven")
run(job, address=sys.argv[2], on_status=tell)
"""


def looked_up(entries: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A user's function that has captured a table."""
    table = {f"key-{number:06}": f"value of the key {number:06}" for number in range(entries)}

    def look(frame: pl.DataFrame) -> pl.DataFrame:
        assert len(table) == entries
        return frame

    return look


def divide_by_zero(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(value=1 // (frame.height - frame.height))


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        threading.Event().wait(0.05)
