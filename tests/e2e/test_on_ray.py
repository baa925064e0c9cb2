"""A job of several processes on Ray, any of which is killed or frozen at a named point.

Two subtasks read, two count, one writes. A killed subtask or coordinator is replaced while the
driver waits; when the driver is killed, the same command continues.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from tests.e2e.harness import FULL, Job
from tests.support import points
from tests.support.chaos import JobProcess, until

pytestmark = pytest.mark.timeout(900)

SLOW = {"E2E_RATE": "6000"}
IN_SUBTASKS: Sequence[Sequence[str]] = (
    ["barrier injected@read:2", "aligned@counts:1", "pre-commit flush@write:1"],
    ["aligned@read:2", "acked@counts:2", "pre-committed@write:2", "re-init@write:2"],
    ["acked@write:2", "barrier passed on@counts:2", "barrier passed on@read:2"],
)
IN_COORDINATOR: Sequence[Sequence[str]] = (
    ["commit@coordinator:2", "recover commit@coordinator:1"],
    ["create manifest@coordinator:2", "recover seal done@coordinator:1"],
    ["commit done@coordinator:2", "recover before done@coordinator:1"],
)
DRIVER: Sequence[Sequence[str]] = (
    ["pre-committed@write:2:driver", "recover seal@coordinator:1:driver"],
    ["commit@coordinator:2:driver", "acked@write:2:driver"],
)
ONE_EACH = [
    *(f"{p}@read:2" for p in ("barrier injected", "aligned", "barrier passed on", "acked")),
    *(f"{p}@counts:2" for p in ("aligned", "barrier passed on", "acked")),
    *(f"{p}@write:2" for p in ("aligned", "barrier passed on", "pre-commit flush")),
    *(f"{p}@write:2" for p in ("pre-committed", "acked", "re-init")),
    *(
        f"{p}{when}@coordinator:2"
        for p in ("check prepared", "create manifest", "look for newer", "commit", "before done")
        for when in ("", " done")
    ),
]
FROZEN = ["pre-committed@write:2", "commit@coordinator:2"]
if FULL:
    FROZEN += ["barrier injected@read:2", "aligned@counts:2", "create manifest@coordinator:2"]
KILLS = [*IN_SUBTASKS[:2], *IN_COORDINATOR[:2], *DRIVER[:1]]
if FULL:
    KILLS += [*IN_SUBTASKS[2:], *IN_COORDINATOR[2:], *DRIVER[1:]]
    KILLS += [[order] for order in ONE_EACH] + [[f"{order}:driver"] for order in ONE_EACH]


def test_undisturbed(ray_job: Job, answer: pl.DataFrame) -> None:
    ray_job.finish()
    ray_job.check(answer)


@pytest.mark.parametrize("orders", KILLS, ids=", ".join)
def test_killed(ray_job: Job, answer: pl.DataFrame, orders: Sequence[str]) -> None:
    ray_job.finish(orders, **SLOW)
    ray_job.check(answer)


PAIRS = [("write", "coordinator"), *([("read", "write"), ("counts", "read")] if FULL else ())]


@pytest.mark.parametrize("chains", PAIRS, ids=" ".join)
def test_two_at_once(ray_job: Job, answer: pl.DataFrame, chains: tuple[str, str]) -> None:
    """Two processes die in the same moment, at no chosen point."""

    def kill(process: JobProcess) -> None:
        ray_job.reached(process, "commit done@coordinator:2")
        for chain in chains:
            os.kill(ray_job.pids(chain)[-1], signal.SIGKILL)

    ray_job.finish(["commit done@coordinator:2:mark"], meanwhile=kill, **SLOW)
    ray_job.check(answer)


@pytest.mark.parametrize("order", FROZEN)
def test_frozen(ray_job: Job, answer: pl.DataFrame, order: str) -> None:
    """A frozen process is noticed and replaced; if it still exists it wakes after a new commit."""

    def wake(process: JobProcess) -> None:
        wake_later(process, ray_job, order)

    ray_job.finish([f"{order}:stop"], meanwhile=wake, **{**SLOW, "E2E_RATE": "3000"})
    ray_job.check(answer)


def wake_later(process: JobProcess, job: Job, order: str) -> None:
    """SIGCONT once two checkpoints have been committed after the freeze."""
    job.reached(process, order)
    frozen = [pid for pid in job.pids(order.partition("@")[2].partition(":")[0]) if stopped(pid)]
    before = commits(job)
    until(lambda: commits(job) >= before + 2, 60, "new commit after the freeze")
    for pid in frozen:
        if stopped(pid):  # else it was ended by its own job
            os.kill(pid, signal.SIGCONT)


def stopped(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def commits(job: Job) -> int:
    """Highest `done` mark in the storage."""
    marks = [int(path.name.rpartition("-")[2]) for path in job.storage.rglob("done-*")]
    return max(marks, default=-1)


def test_second_copy_on_the_same_cluster(ray_job: Job, answer: pl.DataFrame) -> None:
    """It refuses and names the first; the first does not notice."""
    said: list[tuple[int, str]] = []

    def start_another(process: JobProcess) -> None:
        ray_job.reached(process, "commit done@coordinator:1")
        with ray_job.start() as second:
            said.append((second.wait(60), second.output()))
        points.note_driver(ray_job.markers, process.pid)

    ray_job.finish(["commit done@coordinator:1:mark"], meanwhile=start_another, E2E_RATE="900")
    ray_job.check(answer)
    code, output = said[0]
    assert code == 2, output
    assert ray_job.name in output
    assert "runs on this Ray cluster already" in output
