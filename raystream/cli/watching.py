"""`raystream status --watch`: a job in view until it ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from raystream.cli.exits import GOOD

if TYPE_CHECKING:
    from raystream.api.job import Job

PIPED_S = 2.0
"""Between two lines where they go to a file or a pipe."""


def watch(job: Job) -> int:
    """Show a job until it ends; its exit code, 0 if nobody knows.

    Args:
        job: The job.
    """
    return _lines(job)


def _lines(job: Job) -> int:
    from raystream.observe.live_line import live_line

    before = None
    while True:
        now = job.status()
        print(live_line(now, before), flush=True)
        if job.outcome() is not None:
            return _code(job)
        before = now
        time.sleep(PIPED_S)


def _code(job: Job) -> int:
    outcome = job.outcome()
    return GOOD if outcome is None else outcome.exit_code
