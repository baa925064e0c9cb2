"""Busy, back-pressured and idle time of a task, accounted in the same way by every runtime."""

from __future__ import annotations

from collections.abc import Callable

from raystream.runtime.task import Finished, Progress, Task, Waiting


class TaskTimes:
    """Steps a task, and accounts for all time: that of its steps, and that between them.

    One thread calls `step`; others may read `working_since`.

    Args:
        task: The task.
        now: Monotonic seconds.
        queued: What the time after a step is spent as if there is more to do: `busy` in a thread
            of its own, `backpressured` if it waits for its turn in a shared one.
    """

    def __init__(self, task: Task, now: Callable[[], float], queued: str = "busy") -> None:
        self.working_since: float | None = None
        self._task = task
        self._now = now
        self._queued = queued
        self._between = "idle"
        self._since = now()

    def step(self) -> Progress:
        """Step the task once.

        Raises:
            Exception: whatever the task raises.
        """
        spent, began = self._task.metrics.spent, self._now()
        spent(self._between, began - self._since)
        self._since = self.working_since = began
        progress = self._task.step()
        ended = self._now()
        spent("busy", ended - began)
        self.working_since, self._since = None, ended
        self._between = self._reason(progress)
        return progress

    def _reason(self, progress: Progress) -> str:
        if isinstance(progress, Waiting):
            return progress.reason
        self._task.metrics.waits_for_sink = False
        return "idle" if isinstance(progress, Finished) else self._queued
