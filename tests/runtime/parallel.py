"""A job whose subtasks work side by side in virtual time: what a function costs is only counted.

Everything is the engine's but time: each subtask has a clock that runs ahead of the others' while
its function "works", and is not called again before the others' has come as far.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.ids import SubtaskId
from raystream.job.messages import StopKind
from raystream.job.spec import OpenRequest
from raystream.observe.safety import CheckpointEntry
from raystream.observe.status import StatusDocument
from raystream.runtime.build import build_task
from raystream.runtime.local import LocalRuntime, LocalWorkers
from raystream.runtime.task import Progress
from raystream.time.clock import VirtualClock

TICK_S = 0.001


class Ahead:
    """The clock of one subtask: the common one, or later while its function works."""

    def __init__(self, common: VirtualClock) -> None:
        self._common = common
        self._own = 0.0

    def now(self) -> float:
        return max(self._own, self._common.now())

    def wall_ms(self) -> int:
        return self._common.wall_ms()

    def work(self, seconds: float) -> None:
        self._own = self.now() + seconds


class Side(LocalWorkers):
    """Subtasks side by side."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.clocks: dict[SubtaskId, Ahead] = {}
        self.at_work: Ahead | None = None

    def _build(self, request: OpenRequest, channels: Any) -> bool:
        me = request.subtask
        clock = self.clocks[me] = Ahead(self._clock)  # type: ignore[arg-type]
        self._tasks[me] = build_task(
            request,
            self._store,
            {channel: link for channel, link in channels.items() if channel.target == me},
            {channel: link for channel, link in channels.items() if channel.source == me},
            clock=clock,
            background=self._background,
            report=self._report,
        )
        return True

    def _step_task(self, subtask: SubtaskId) -> Progress:
        clock = self.clocks[subtask]
        if clock.now() > self._clock.now():
            from raystream.runtime.task import Waiting

            return Waiting(clock.now())
        self.at_work = clock
        return self._tasks[subtask].step()


class Inline(Executor):
    """At once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **named))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            done.set_exception(error)
        return done


class World:
    """One job, in virtual time.

    Args:
        build: Adds the steps to a pipeline; `work(seconds)` inside a function costs virtual time.
        interval: Of checkpoints.
        unbounded: It goes on at the end of its rows.
    """

    def __init__(
        self, build: Callable[[rs.Pipeline, World], Any], interval: str = "1s", **options: Any
    ) -> None:
        self.clock = VirtualClock(wall_ms=2_000_000_000_000)
        self.workers: Side | None = None
        pipeline = rs.Pipeline("slow", checkpoint_interval=interval)
        build(pipeline, self)
        job = prepare(pipeline, RunOptions(local=True, **options), tempfile.mkdtemp(), 1)
        assert job is not None
        self.runtime = LocalRuntime(job, self.clock, Inline(), on_status=self._told)
        old = self.runtime.workers
        workers = Side(self.runtime.store, self.clock, self.runtime._pool, self.runtime.wake)
        workers.post = old.post
        self.runtime.workers = self.workers = workers
        self.runtime.loop._workers = workers  # type: ignore[attr-defined]
        self.status: StatusDocument | None = None
        self.checkpoints: dict[int, CheckpointEntry] = {}

    def _told(self, status: StatusDocument) -> None:
        self.status = status
        self.checkpoints |= {each.number: each for each in status.checkpoint.history}

    def work(self, seconds: float) -> None:
        """What a function costs."""
        if self.workers is not None and self.workers.at_work is not None:
            self.workers.at_work.work(seconds)

    def run(self, seconds: float) -> rs.Outcome | None:
        """For so long, or to its end."""
        until = self.clock.now() + seconds
        while self.runtime.loop.outcome is None and self.clock.now() < until:
            self.step()
        return self.runtime.loop.outcome

    def step(self) -> None:
        pause = self.runtime.step()
        if pause > 0:
            self.clock.advance(min(pause, 0.01) if pause > TICK_S else TICK_S)

    def stop(self) -> float:
        """Ask for a stop; seconds until it has ended."""
        began = self.clock.now()
        self.runtime.loop.request_stop(StopKind.STOP)
        while self.runtime.loop.outcome is None:
            self.step()
        return self.clock.now() - began

    def rows(self, chain: str) -> list[int]:
        """Rows of each subtask."""
        assert self.status is not None
        return [each.rows for c in self.status.chains if c.name == chain for each in c.subtasks]

    def close(self) -> None:
        self.runtime.close()
