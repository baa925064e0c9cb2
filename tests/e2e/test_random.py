"""Kills at no chosen point: after random times, one or several processes, again and again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import polars as pl
import pytest

from tests.e2e.harness import FULL, Job
from tests.support.chaos import JobProcess

SEEDS = range(20) if FULL else range(1)
SLOW = {"E2E_COUNT": "3", "E2E_WRITE": "2", "E2E_RATE": "6000", "E2E_INTERVAL": "150ms"}
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_process(job: Job, answer: pl.DataFrame, seed: int) -> None:
    """Killed after 0.3 to 3 s, eight times; the seed repeats the pauses, not the moments."""
    chance = random.Random(seed)
    for _ in range(8):
        with job.start(**SLOW) as process:
            time.sleep(chance.uniform(0.3, 3.0))
            process.kill()
    job.finish(**SLOW)
    job.check(answer)


@pytest.mark.parametrize("seed", SEEDS)
def test_on_ray(ray_job: Job, answer: pl.DataFrame, seed: int) -> None:
    """One or two of subtasks, coordinator and driver, every 0.5 to 4 s."""
    chance = random.Random(seed)
    blows = iter(range(6))

    def kill(process: JobProcess) -> None:
        for _ in blows:
            time.sleep(chance.uniform(0.5, 4.0))
            alive = [pid for pid in everybody(ray_job) if exists(pid)]
            number = min(len(alive) + 1, chance.choice([1, 1, 2]))
            for pid in chance.sample([*alive, process.pid], number):
                send(pid)
            if not process.running():
                return

    ray_job.finish([], meanwhile=kill, timeout=120, again=8, **SLOW)
    ray_job.check(answer)


def send(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def everybody(job: Job) -> list[int]:
    names = ("read", "counts", "write", "coordinator")
    return [pid for name in names for pid in job.pids(name)]


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
