"""Failing: find the first cause, kill dead or frozen subtasks, wait for the restart delay."""

from __future__ import annotations

from collections.abc import Mapping

from raystream.ids import SubtaskId
from raystream.job.cause import GATHER_S, first_cause
from raystream.job.context import JobContext
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

    def enter(self, context: JobContext) -> Step:
        """Drop the waiting procedures: they belong to the failed attempt."""
        context.turns.clear()
        self._gather_until = context.now + GATHER_S
        return self, []

    def handle(self, context: JobContext, event: JobEvent) -> Step:
        """Handle one event; errors later than 50 ms are effects: only their processes matter."""
        match event:
            case Died(subtask, _, failure):
                self._failures.append((subtask, failure))
                if self._wait_until is None:
                    return self, []
                return self, kill_of(context, {subtask: failure})
            case Tick(now):
                return self._tick(context, now)
            case StopRequested(StopKind.STOP) if context.may_end_now:  # nothing to commit
                return ended.Ended("stopped"), []
        return self, []

    def _tick(self, context: JobContext, now: float) -> Step:
        if self._wait_until is None:
            if now < self._gather_until:
                return self, context.pings()
            return self._decide(context, now)
        if now < self._wait_until:
            return self, context.pings()
        return recovering.Recovering(), context.pings()

    def _decide(self, context: JobContext, now: float) -> Step:
        cause = first_cause(self._failures)
        lost = dict(self._failures)
        lost |= {died.subtask: died.failure for died in context.silent()}
        commands = kill_of(context, lost)
        delay = context.policy.failed(cause.failure, now)
        if isinstance(delay, GiveUp):
            return ended.Ended("failed", cause.text()), commands
        context.report.failed(context.attempt, cause, now)
        self._wait_until = now + delay
        if delay == 0.0:
            return recovering.Recovering(), commands
        return self, [*commands, *context.pings()]


def kill_of(context: JobContext, lost: Mapping[SubtaskId | None, Failure]) -> list[JobCommand]:
    """Kill dead and frozen subtasks, and mark nodes where no subtask answers as suspect."""
    gone = sorted(who for who, failure in lost.items() if who and failure.kind in GONE)
    if not gone:
        return []
    answering = context.liveness.answering(context.now)
    context.suspects |= suspects(gone, answering, context.nodes)
    return [Kill(tuple(gone))]
