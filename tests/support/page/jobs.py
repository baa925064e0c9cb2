"""Jobs in every state, made up, for the page."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from raystream.errors import RaystreamError
from raystream.observe.culprit import culprits
from raystream.observe.flow import SampleStatus, SplitStatus, SubtaskStatus
from raystream.observe.history import History, Point
from raystream.observe.safety import CheckpointEntry, RestartStatus
from raystream.observe.status import StatusDocument
from tests.ui.documents import large, running

RAN_S = 6000.0


class MadeUpJobs:
    """Answers as a cluster does.

    `away`: why the cluster is gone; `silent`: whose coordinators are; `refuses`: why orders fail.

    Args:
        clock: Epoch seconds.
    """

    def __init__(self, clock: Any = time.time) -> None:
        self._clock = clock
        self._began = clock() - RAN_S
        self.away = ""
        self.refuses = ""
        self.silent: set[str] = set()
        self.orders: list[tuple[str, str]] = []

    def statuses(self) -> Sequence[StatusDocument]:
        """See `ui.jobs.Jobs`."""
        if self.away:
            raise RaystreamError(self.away)
        found = [self._job(name, self._clock()) for name in STATES]
        return [replace(d, state="silent") if d.job in self.silent else d for d in found]

    def history(self, job: str) -> Sequence[Point]:
        """See `ui.jobs.Jobs`."""
        now, history = self._clock(), History()
        for before in range(900, 0, -5):
            history.add(self._job(job, now - before))
        return history.points

    def rows(self, job: str, step: str, marks: Any) -> tuple[list[dict[str, Any]], Any]:
        """See `ui.jobs.Jobs`."""
        n = marks.get("n", 0)
        row = {"ip": f"10.0.0.{n % 9}", "window_start": "2026-11-28T19:00:00Z", "count": n * 7}
        return [row], {"n": n + 1}

    def act(self, job: str, order: str) -> str:
        """See `ui.jobs.Jobs`."""
        if self.refuses:
            raise RaystreamError(self.refuses)
        self.orders.append((job, order))
        return "savepoint: s3://bucket/checkpoints/requests-per-minute/savepoints/7-c0ffee"

    def _job(self, name: str, at: float) -> StatusDocument:
        seconds, now = at - self._began, round(at * 1000)
        if name == "hundred-steps":
            return _hundred_steps(name, seconds, now)
        made: StatusDocument = STATES[name](_base(name, seconds, now), now)
        return made


def _wave(seconds: float) -> float:
    """Numbers that change their number of digits while one looks."""
    return 1 + 0.95 * math.sin(seconds / 3)


def _hundred_steps(name: str, seconds: float, now: int) -> StatusDocument:
    """100 steps in 20 chains of 10 subtasks, 300 splits; one chain is full."""
    made = large(job=name)
    busy = {"step-015": 0.97, "step-014": 0.1}
    waits = {f"step-{n:03}": 0.85 for n in range(15)}
    chains = tuple(
        replace(
            c,
            busy=(share := busy.get(c.name, 0.3)),
            backpressured=waits.get(c.name, 0.0),
            subtasks=tuple(replace(each, busy=share) for each in c.subtasks),
        )
        for c in made.chains
    )
    full = replace(
        made,
        chains=chains,
        at_ms=now,
        uptime_s=seconds,
        watermark_ms=now - 3000,
        splits=tuple(replace(s, watermark_ms=now - 3000) for s in made.splits),
        steps=tuple(
            replace(s, rows_in=round(s.rows_in + 9000 * seconds), rows_out=round(9000 * seconds))
            for s in made.steps
        ),
    )
    return replace(full, culprits=culprits(full))


def _base(name: str, seconds: float, now: int) -> StatusDocument:
    """A job that is well."""
    wave = _wave(seconds)
    status = running(seconds + 3 * wave, job=name, rows=12_000)
    splits = tuple(
        SplitStatus(
            f"requests/{i}", "read", i % 2, round(700 * i * wave), 0.3 * i * wave,
            now - 2000 - 900 * i,
            holds_back=i == 3, idle=i == 2,
        )
        for i in range(4)
    )  # fmt: skip
    history = tuple(
        CheckpointEntry(
            n, "completed", now, 0.3 + 0.03 * (n % 7), 0.02, 0.01, 0.08, 0.05 + 0.02 * (n % 5),
            0.2, 0.1, 120_000, 3000,
        )
        for n in range(1, 21)
    )  # fmt: skip
    sample = SampleStatus(
        "late_rows",
        now,
        '{"ip": "10.0.0.1", "ts": 1700000000000, "path": "/index.html"}',
        "29 s behind the watermark",
        "topic requests, partition 3, offset 17",
    )
    read, counts, write = status.steps
    return replace(
        status,
        steps=(read, replace(counts, samples=(sample,)), write),
        splits=splits,
        at_ms=now,
        uptime_s=seconds,
        watermark_ms=now - round(4700 * wave),
        checkpoint=replace(
            status.checkpoint, number=20, completed=20, history=history, size_bytes=1_200_000,
            new_bytes=40_000, interval_s=2.0, age_s=1.0,
        ),
        came_from="checkpoint 17",
        storage=f"s3://bucket/checkpoints/{name}",
        restarts=(),
        restart_count=0,
    )  # fmt: skip


_SKEWED = tuple(
    SubtaskStatus(n, 0.97 if n == 1 else 0.3, rows=31_000 if n == 1 else 10_000) for n in range(4)
)


def _slow(status: StatusDocument, now: int) -> StatusDocument:
    read, counts = status.chains
    slow = replace(
        status,
        chains=(
            replace(read, backpressured=0.85, busy=0.1),
            replace(counts, busy=0.97, skew=3.1, subtasks=_SKEWED),
        ),
        splits=tuple(replace(s, lag_rows=40_000 * (1 + i), lag_seconds=95.0) for i, s in
                     enumerate(status.splits)),
    )  # fmt: skip
    return replace(slow, culprits=culprits(slow))


def _failing(status: StatusDocument, now: int) -> StatusDocument:
    lines = (
        "counts[1]: ValueError: invalid literal for int() with base 10: 'n/a'",
        '  File "jobs/marketing.py", line 31, in amount',
        "    return int(row['amount'])",
        "  at step counts, topic requests, partition 3, offset 1,204,517",
    )
    first = RestartStatus(1, "counts[0]: SIGKILL", 200.0, now - 400_000, 2.5)
    again = RestartStatus(2, lines[0], 560.0, now - 34_000, 3.1, lines, lines[0][11:])
    restart = RestartStatus(3, lines[0], 590.0, now - 4000, None, lines, lines[0][11:])
    failed = replace(
        status.checkpoint.history[-1], state="failed", reason="counts[1] died before its ack"
    )
    checkpoint = replace(
        status.checkpoint, history=(*status.checkpoint.history[:-1], failed), failed=1
    )
    return replace(
        status, state="failing", attempt=4, restarts=(first, again, restart), restart_count=3,
        checkpoint=checkpoint,
    )  # fmt: skip


def _stopped(status: StatusDocument, now: int) -> StatusDocument:
    then = replace(status, at_ms=now - 1000 * round(now / 1000 % 60) - 720_000, uptime_s=15_300.0)
    return then.ended("stopped", "stop by ana on batch-3; committed up to checkpoint 20")


def _waiting(status: StatusDocument, now: int) -> StatusDocument:
    quiet = tuple(
        replace(s, lag_rows=0, lag_seconds=0.0, quiet_seconds=40.0, idle=True, holds_back=False)
        for s in status.splits
    )
    steps = tuple(replace(s, rows_in=7000 if s.rows_in else 0, rows_out=7000) for s in status.steps)
    chains = tuple(replace(c, busy=0.0, backpressured=0.0) for c in status.chains)
    return replace(status, splits=quiet, steps=steps, chains=chains)


STATES: dict[str, Any] = {
    "requests-per-minute": lambda status, now: status,
    "sale-totals": _slow,
    "marketing": _failing,
    "old-report": _stopped,
    "waiting-for-data": _waiting,
    "hundred-steps": None,
}
"""Name of a job -> its state from that of one that is well."""
