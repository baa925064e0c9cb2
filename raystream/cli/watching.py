"""`raystream status --watch`: show a job until it ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from raystream.cli.console import console, on_terminal
from raystream.cli.exits import GOOD

if TYPE_CHECKING:
    from raystream.api.jobs.job import Job

LOOK_S = 0.5
PIPED_S = 2.0
"""Seconds between two lines that go to a file or a pipe."""


def watch(job: Job) -> int:
    """Show a job until it ends; returns its exit code, 0 if that is unknown.

    Args:
        job: The job.
    """
    from raystream.runtime.ray.asked import Gone

    try:
        return _live(job) if on_terminal() else _lines(job)
    except Gone:
        print(f"{job.name} has ended; the outcome was shown where it was started", file=sys.stderr)
        return GOOD


def _live(job: Job) -> int:
    from raystream.cli.live import LiveView

    view = LiveView(console())
    try:
        while True:
            view.update(job.status())
            if job.wait(LOOK_S) is not None:
                view.update(job.status())
                return _code(job)
    finally:
        view.end()


def _lines(job: Job) -> int:
    from raystream.cli.live import Memory
    from raystream.observe.live_line import live_line

    memory = Memory()
    while True:
        now = job.status()
        if now.state == "ended" and now.outcome is None and job.wait(PIPED_S):
            now = job.status()  # it was still tidying up, and now says how it ended
        print(live_line(now, memory.before(now)), flush=True)
        if now.state == "ended":
            return _code(job)
        job.wait(PIPED_S)


def _code(job: Job) -> int:
    outcome = job.outcome()
    return GOOD if outcome is None else outcome.exit_code
