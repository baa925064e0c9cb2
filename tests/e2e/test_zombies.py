"""Two copies of one job, no common Ray: one freezes, the other takes over, the first wakes.

In one process source, windows, sinks and coordinator freeze together, so each wakes as a zombie
that still believes in its attempt. What it then does must never show.
"""

from __future__ import annotations

import os
import signal

import polars as pl
import pytest

from tests.e2e.harness import FULL, Job
from tests.support.chaos import JobProcess

SUPERSEDED = 3
SLOW = {"E2E_COUNT": "3", "E2E_WRITE": "2", "E2E_RATE": "8000"}
FROZEN_AT = [
    "pre-committed@write:2",
    "create manifest@coordinator:2",
    "look for newer done@coordinator:2",
    "mid commit@coordinator:2",
]
IN_FULL = [
    "barrier injected@read:2",
    "before done@coordinator:2",
    "aligned@counts:2",
    "acked@write:2",
    "re-init@write:2",
    "check prepared@coordinator:2",
    "check prepared done@coordinator:2",
    "create manifest done@coordinator:2",
    "commit done@coordinator:2",
    "before done done@coordinator:2",
    "clean delete@coordinator:2",
    "abort strays@coordinator:1",
    "recover seal@coordinator:1",
    "create attempt@coordinator:1",
]

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("order", [*FROZEN_AT, *(IN_FULL if FULL else ())])
def test_wakes_when_the_other_has_finished(job: Job, answer: pl.DataFrame, order: str) -> None:
    with job.start(f"{order}:stop", **SLOW) as first:
        job.reached(first, order)
        job.finish(**SLOW)
        job.check(answer)
        os.kill(first.pid, signal.SIGCONT)
        code = first.wait(60)
        assert code in {SUPERSEDED, 0}, first.output()
    job.check(answer)


@pytest.mark.parametrize("order", [*FROZEN_AT[:2], *(FROZEN_AT[2:] if FULL else ())])
def test_wakes_while_the_other_runs(job: Job, answer: pl.DataFrame, order: str) -> None:
    second_commit = "before done done@coordinator:2"

    def wake(process: JobProcess) -> None:
        job.reached(process, second_commit)
        os.kill(first.pid, signal.SIGCONT)

    with job.start(f"{order}:stop", **SLOW) as first:
        job.reached(first, order)
        job.finish([f"{second_commit}:mark"], meanwhile=wake, **SLOW)
        assert first.wait(60) == SUPERSEDED, first.output()
        assert "superseded" in first.output()
    job.check(answer)


def test_a_second_copy_fences_the_first(job: Job, answer: pl.DataFrame) -> None:
    """Nobody is frozen: the first ends at its next commit, with exit code 3."""
    begun = "before done@coordinator:2"
    with job.start(f"{begun}:mark", **{**SLOW, "E2E_RATE": "2000"}) as first:
        job.reached(first, begun)
        job.finish(**SLOW)
        assert first.wait(60) == SUPERSEDED, first.output()
    job.check(answer)
