"""`job.tail`: rows of a running job, fetched a few at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from raystream.errors import ConfigurationError
from raystream.graph.nearest import did_you_mean

if TYPE_CHECKING:
    from raystream.api.job import Job

LOOK_S = 0.3
"""Pause after a look that found no new row."""


def tail(job: Job, step: str, limit: int | None, timeout: float | None) -> Iterator[dict[str, Any]]:
    """See `Job.tail`.

    Raises:
        ConfigurationError: there is no such step.
    """
    known = [each.name for each in job.status().steps]
    while not known and job.outcome() is None:  # it is starting
        time.sleep(LOOK_S)
        known = [each.name for each in job.status().steps]
    if known and step not in known:
        what = f"job {job.name} has no step {step!r}"
        raise ConfigurationError(what, what_to_do=did_you_mean(step, known))
    return _rows(job, step, limit, timeout)


def _rows(
    job: Job, step: str, limit: int | None, timeout: float | None
) -> Iterator[dict[str, Any]]:
    deadline = None if timeout is None else time.monotonic() + timeout
    marks: Any = {}
    left = limit
    with job.just_looking():
        while left is None or left > 0:
            over = job.outcome() is not None
            rows, marks = job.rows_since(step, marks)
            yield from rows[:left]
            left = None if left is None else left - len(rows)
            if over or (deadline is not None and time.monotonic() >= deadline):
                return
            if not rows:
                time.sleep(LOOK_S)
