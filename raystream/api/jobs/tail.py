"""`job.tail`: rows of a running job, fetched a few at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raystream.api.jobs.job import Job

Row = dict[str, Any]

LOOK_S = 0.3
"""Pause after a poll that found no new row."""


def tail(job: Job, step: str, limit: int | None, timeout: float | None) -> Iterator[Row]:
    """See `Job.tail`.

    Raises:
        ConfigurationError: there is no such step.
    """
    rows, marks = job.rows_since(step, {})
    return _rows(job, step, limit, timeout, (rows, marks))


def _rows(
    job: Job, step: str, limit: int | None, timeout: float | None, first: tuple[list[Row], Any]
) -> Iterator[Row]:
    deadline = None if timeout is None else time.monotonic() + timeout
    rows, marks = first
    left = limit
    with job.just_looking():
        while True:
            yield from rows[:left]
            left = None if left is None else left - len(rows)
            enough = left is not None and left <= 0
            over = enough or job.outcome() is not None
            if over or (deadline is not None and time.monotonic() >= deadline):
                return
            if not rows:
                time.sleep(LOOK_S)
            rows, marks = job.rows_since(step, marks)
