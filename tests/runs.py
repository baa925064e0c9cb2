"""A pipeline without end that runs in a thread of this process while a test continues."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.connectors.collect import Collect
from raystream.job.messages import StopKind
from raystream.observe.status import StatusDocument
from raystream.runtime.local import LocalRuntime

PATIENCE_S = 30.0


class Running:
    """A run that is under way."""

    def __init__(self, pipeline: rs.Pipeline, storage: Path, **options: Any) -> None:
        self.status: StatusDocument | None = None
        self.outcome: rs.Outcome | None = None
        job = prepare(pipeline, RunOptions(local=True, **options), str(storage), 1)
        assert job is not None
        self._runtime = LocalRuntime(job, on_status=self._told)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _told(self, status: StatusDocument) -> None:
        self.status = status

    def _run(self) -> None:
        self.outcome = self._runtime.run()

    def until(self, done: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until something holds, or the job has ended."""
        deadline = time.monotonic() + seconds
        while not done():
            assert self.outcome is None, self.outcome
            assert time.monotonic() < deadline, f"not reached: {self.status}"
            time.sleep(0.02)

    def ended(self, seconds: float = PATIENCE_S) -> rs.Outcome:
        """How it ended by itself."""
        self._thread.join(seconds)
        assert self.outcome is not None, f"it runs still: {self.status}"
        return self.outcome

    def stop(self) -> rs.Outcome:
        """Stop with a last commit."""
        self._runtime.loop.request_stop(StopKind.STOP)
        self._runtime.wake()
        return self.ended()

    def end(self) -> None:
        """End at once, whatever it does."""
        self._runtime.loop.request_stop(StopKind.CANCEL)
        self._runtime.wake()
        self._thread.join(PATIENCE_S)


@contextmanager
def running(pipeline: rs.Pipeline, storage: Path, **options: Any) -> Iterator[Running]:
    """Run until the block is over."""
    run = Running(pipeline, storage, **options)
    try:
        yield run
    finally:
        run.end()


def column(collect: Collect, name: str) -> list[Any]:
    """Values of one column of the committed rows, sorted."""
    return sorted(row[name] for row in collect.rows())
