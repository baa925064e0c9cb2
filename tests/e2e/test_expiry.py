"""The job was down for longer than its transactions may stay open."""

from __future__ import annotations

import re

import polars as pl
import pytest

from tests.e2e.harness import KILLED, Job, open_transactions
from tests.support.chaos import until

SHORT = {"E2E_TIMEOUT": "6s", "E2E_COUNT": "3", "E2E_WRITE": "2", "E2E_RATE": "6000"}
pytestmark = pytest.mark.timeout(400)


def die_and_stay_down(job: Job, order: str) -> None:
    """Until the broker has aborted what the job left open."""
    with job.start(order, **SHORT) as process:
        assert process.wait(60) == KILLED, process.output()
    until(lambda: not open_transactions(job.bootstrap, job.name), 20, "expiry")


def test_rolled_back_and_replayed(job: Job, answer: pl.DataFrame) -> None:
    """Nothing of the checkpoint was committed: proven, written down, and done again."""
    die_and_stay_down(job, "commit@coordinator:2")
    points = ("re-read done", "abort for rollback", "create rollback")
    orders = [f"{point}{when}@coordinator:1" for point in points for when in ("", " done")]
    job.finish(orders, **SHORT)
    job.check(answer)


def test_partly_committed_stops_and_tells(job: Job, answer: pl.DataFrame) -> None:
    """Never a silent loss: the message names subtask, records, partitions, and what to do."""
    die_and_stay_down(job, "mid commit@coordinator:2")
    before = job.compare(answer)
    for _ in range(2):
        assert job.run(**SHORT) == 1
        said = " ".join(job.said[-1].split())
        assert re.search(r"1 of 2 transactions of checkpoint \d+ cannot be committed", said)
        assert re.search(r"step 'write' subtask 1, \d+ records for \S+/\d", said), said
        assert "--accept-loss" in said
    after = job.compare(answer)
    assert (after.actual, len(after.missing)) == (before.actual, len(before.missing))
    assert not after.duplicated
    assert not after.wrong
