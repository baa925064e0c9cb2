"""All time of a task is busy, back-pressured or idle, in a thread of its own or a shared one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.observe.metrics import TaskMetrics
from raystream.runtime.task import FINISHED, WORKED, Progress, Waiting
from raystream.runtime.task_times import TaskTimes
from raystream.time.clock import VirtualClock

IDLE, FULL = Waiting(None), Waiting(None, "backpressured")


class Steps:
    """Stands for a task: each step takes its time."""

    def __init__(self, clock: VirtualClock, steps: Sequence[tuple[Progress, float]]) -> None:
        self.metrics = TaskMetrics([])
        self._clock = clock
        self._steps = iter(steps)

    def step(self) -> Progress:
        progress, seconds = next(self._steps)
        self._clock.advance(seconds)
        return progress


def times(
    steps: Sequence[tuple[Progress, float]], **options: Any
) -> tuple[TaskTimes, TaskMetrics, VirtualClock]:
    clock = VirtualClock()
    task: Any = Steps(clock, steps)
    return TaskTimes(task, clock.now, **options), task.metrics, clock


PROGRESS = st.sampled_from([WORKED, IDLE, FULL, FINISHED])


@given(
    st.lists(st.tuples(PROGRESS, st.integers(0, 9), st.integers(0, 9)), min_size=1),
    st.sampled_from(["busy", "backpressured"]),
)
def test_no_time_is_lost_or_counted_twice(
    steps: list[tuple[Progress, int, int]], queued: str
) -> None:
    accounted, metrics, clock = times([(p, s) for p, s, _ in steps], queued=queued)
    for _, _, between in steps:
        accounted.step()
        clock.advance(between)
    total = metrics.busy_seconds + metrics.backpressured_seconds + metrics.idle_seconds
    assert total == clock.now() - steps[-1][2]


@pytest.mark.parametrize(
    ("progress", "queued", "spent"),
    [
        (IDLE, "busy", (1.0, 0.0, 5.0)),
        (FULL, "busy", (1.0, 5.0, 0.0)),
        (FINISHED, "busy", (1.0, 0.0, 5.0)),
        (WORKED, "busy", (6.0, 0.0, 0.0)),
        (WORKED, "backpressured", (1.0, 5.0, 0.0)),
    ],
)
def test_time_between_steps_is_what_the_last_one_said(
    progress: Progress, queued: str, spent: tuple[float, float, float]
) -> None:
    accounted, metrics, clock = times([(progress, 1.0), (WORKED, 0.0)], queued=queued)
    accounted.step()
    clock.advance(5.0)
    accounted.step()
    found = (metrics.busy_seconds, metrics.backpressured_seconds, metrics.idle_seconds)
    assert found == spent


def test_a_wait_for_the_sink_ends_with_the_next_work() -> None:
    accounted, metrics, clock = times(
        [(FULL, 0.0), (WORKED, 0.0), (WORKED, 0.0)], queued="backpressured"
    )
    metrics.waits_for_sink = True
    accounted.step()
    clock.advance(2.0)
    accounted.step()
    clock.advance(3.0)
    accounted.step()
    assert (metrics.backpressured_seconds, metrics.sink_wait_seconds) == (5.0, 2.0)


def test_others_see_since_when_it_works() -> None:
    clock = VirtualClock(now=4.0)
    seen = []

    class Looks(Steps):
        def step(self) -> Progress:
            seen.append(accounted.working_since)
            return super().step()

    task: Any = Looks(clock, [(WORKED, 1.0)])
    accounted = TaskTimes(task, clock.now)
    clock.advance(2.0)
    accounted.step()
    assert seen == [6.0]
    assert accounted.working_since is None
