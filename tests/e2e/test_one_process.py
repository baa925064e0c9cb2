"""A job in one process, killed with SIGKILL at every named point and started again.

Every order of a group happens once, in one job: each time the process dies there, the same command
is given again. `aligned@write:2` is the second time that `write` comes to the point `aligned`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from raystream.checkpoint.protocol.commands import POINTS
from tests.e2e.harness import FULL, Job

AT_ONCE = 2
VISITS = (1, 2, 4) if FULL else (1, 2)
PER_JOB = 2

OF_SUBTASKS = (
    *("barrier injected@read", "aligned@read", "barrier passed on@read", "acked@read"),
    *("aligned@counts", "barrier passed on@counts", "acked@counts"),
    *("aligned@write", "barrier passed on@write", "pre-commit flush@write"),
    *("pre-committed@write", "acked@write", "re-init@write"),
)
OF_COMMIT = (
    "check prepared",
    "create manifest",
    "look for newer",
    "commit",
    "mid commit",
    "before done",
)
OF_RECOVERY = (
    "list attempts",
    "create attempt",
    "list log",
    "read log",
    "recover seal",
    "recover look for newer",
    "recover read done",
    "recover commit",
    "recover mid commit",
    "recover before done",
)
OF_BACKGROUND = (
    "abort strays",
    "clean list",
    "clean read",
    "clean look for newer",
    "clean delete",
)
ELSEWHERE = {
    # only when two attempts meet in the log: tests/checkpoint/protocol/test_interleavings.py
    *("read attempt", "read seal", "read manifest", "read rollback", "read restore"),
    *("look at head", "wait"),
    # only when a transaction expired: test_expiry.py
    *("re-read done", "abort for rollback", "create rollback"),
    "create restore",  # only with --from-scratch, below
    "bring back",  # only with --from-savepoint: tests/runtime/test_savepoints.py
}

SPLIT = {"E2E_COUNT": "3", "E2E_WRITE": "2", "E2E_RATE": "5000", "E2E_INTERVAL": "200ms"}
"""Three chains, and two transactions in most checkpoints."""

NewJob = Callable[..., Job]


def test_no_point_is_forgotten() -> None:
    assert {*OF_COMMIT, *OF_RECOVERY, *OF_BACKGROUND} | ELSEWHERE == set(POINTS)


def test_undisturbed(job: Job, answer: pl.DataFrame) -> None:
    job.finish()
    job.check(answer)


def test_killed_in_a_subtask(new_job: NewJob, answer: pl.DataFrame) -> None:
    """First and later, in the middle of a barrier and of a pre-commit."""
    each_group(new_job, answer, groups(OF_SUBTASKS))


def test_killed_while_it_commits(new_job: NewJob, answer: pl.DataFrame) -> None:
    """Before and after every step of phase two."""
    each_group(new_job, answer, groups(before_and_after(OF_COMMIT)))


def test_killed_in_every_step_of_recovery(new_job: NewJob, answer: pl.DataFrame) -> None:
    """Nineteen deaths in a row: none of these recoveries comes to its end."""
    orders = [f"{point}:1" for point in before_and_after(OF_RECOVERY)]
    each_group(new_job, answer, [["commit@coordinator:2", *orders]])


def test_killed_in_recovery_after_a_partial_commit(new_job: NewJob, answer: pl.DataFrame) -> None:
    orders = [f"{point}:1" for point in before_and_after(OF_RECOVERY[-3:])]
    each_group(new_job, answer, [["mid commit@coordinator:2", *orders]])


def test_killed_while_it_tidies_up(new_job: NewJob, answer: pl.DataFrame) -> None:
    each_group(new_job, answer, groups(before_and_after(OF_BACKGROUND), VISITS if FULL else (1,)))


def test_killed_while_it_starts_from_scratch(job: Job, answer: pl.DataFrame) -> None:
    """`--from-scratch` writes everything again, once."""
    job.finish()
    arguments = ("--until", "latest", "--from-scratch")
    orders = ["create restore@coordinator:1", "create restore done@coordinator:1"]
    job.finish(orders, arguments=arguments)
    job.check(pl.concat([answer, answer]))


def before_and_after(points: Iterable[str]) -> list[str]:
    return [f"{point}{when}@coordinator" for point in points for when in ("", " done")]


def groups(points: Sequence[str], visits: Sequence[int] = VISITS) -> list[list[str]]:
    """Orders of each job: some points, the first and later visits of each."""
    per_job = PER_JOB * len(VISITS) // len(visits)
    return [
        [f"{point}:{visit}" for point in points[start : start + per_job] for visit in visits]
        for start in range(0, len(points), per_job)
    ]


def each_group(new_job: NewJob, answer: pl.DataFrame, every: Sequence[Sequence[str]]) -> None:
    """Some at once: a process that starts or waits for the broker leaves the core to another."""

    def run(job: Job, orders: Sequence[str]) -> None:
        job.finish(orders)
        job.check(answer)

    jobs = [new_job(environment=SPLIT) for _ in every]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(run, jobs, every))


pytestmark = pytest.mark.timeout(900)
