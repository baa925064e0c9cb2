"""Failing: find the first cause, kill dead or frozen subtasks, wait for the restart delay."""

from __future__ import annotations

from collections.abc import Mapping

from raystream.ids import SubtaskId
from raystream.job.cause import GATHER_S, first_cause
from raystream.job.life import Life
from raystream.job.liveness import suspects
from raystream.job.messages import (
    Died,
    Failure,
    JobCommand,
    JobEvent,
    Kill,
    StopKind,
    StopRequested,
    Tick,
)
from raystream.job.restart import GiveUp
from raystream.job.states import ended, recovering
from raystream.job.states.state import Step

GONE = frozenset({"died", "silent", "engine"})
"""Kinds of failure after which the process itself must not be reused."""


class Failing:
    """Gather errors for 50 ms, then wait for the restart delay.

    A commit that runs meanwhile is not interrupted; recovery follows it and finds its outcome.

    Args:
        failures: Failures known so far, at least one.
    """

    name = "failing"

    def __init__(self, failures: list[tuple[SubtaskId | None, Failure]]) -> None:
        self._failures = failures
        self._gather_until = 0.0
        self._wait_until: float | None = None

    def enter(self, life: Life) -> Step:
        """Drop the waiting procedures: they belong to the failed attempt."""
        life.turns.clear()
        self._gather_until = life.now + GATHER_S
        return self, []

    def handle(self, life: Life, event: JobEvent) -> Step:
        """Handle one event; errors later than 50 ms are effects: only their processes matter."""
        match event:
            case Died(subtask, _, failure):
                self._failures.append((subtask, failure))
                if self._wait_until is None:
                    return self, []
                return self, kill_of(life, {subtask: failure})
            case Tick(now):
                return self._tick(life, now)
            case StopRequested(StopKind.STOP) if life.may_end_now:  # nothing runs to be committed
                return ended.Ended("stopped"), []
        return self, []

    def _tick(self, life: Life, now: float) -> Step:
        if self._wait_until is None:
            if now < self._gather_until:
                return self, life.pings()
            return self._decide(life, now)
        if now < self._wait_until:
            return self, life.pings()
        return recovering.Recovering(), life.pings()

    def _decide(self, life: Life, now: float) -> Step:
        cause = first_cause(self._failures)
        lost = dict(self._failures)
        lost |= {died.subtask: died.failure for died in life.silent()}
        commands = kill_of(life, lost)
        delay = life.policy.failed(cause.failure, now)
        if isinstance(delay, GiveUp):
            return ended.Ended("failed", cause.text()), commands
        life.report.failed(life.attempt, cause, now)
        self._wait_until = now + delay
        if delay == 0.0:
            return recovering.Recovering(), commands
        return self, [*commands, *life.pings()]


def kill_of(life: Life, lost: Mapping[SubtaskId | None, Failure]) -> list[JobCommand]:
    """Kill dead and frozen subtasks, and mark nodes where no subtask answers as suspect."""
    gone = sorted(who for who, failure in lost.items() if who and failure.kind in GONE)
    if not gone:
        return []
    answering = life.liveness.answering(life.now)
    life.suspects |= suspects(gone, answering, life.nodes)
    return [Kill(tuple(gone))]
