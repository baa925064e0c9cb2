"""Write and delete savepoints while the job runs; each outcome is an event."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future

from raystream.context import Points
from raystream.errors import RaystreamError, StorageError, told
from raystream.job.messages import (
    JobEvent,
    KeepSavepoint,
    SavepointDiscarded,
    SavepointKept,
)
from raystream.storage.base import Store
from raystream.storage.open import open_store
from raystream.storage.savepoints import discard_savepoint, write_savepoint


class Copying:
    """Savepoints of one job.

    Args:
        store: The job's storage.
        executor: Runs the work.
        post: Receives the outcomes.
        point: Named points where tests may kill: `keep savepoint`, `discard savepoint`, and each
            with ` done` after it.
    """

    def __init__(
        self, store: Store, executor: Executor, post: Callable[[JobEvent], None], point: Points
    ) -> None:
        self.crash: BaseException | None = None
        self._store = store
        self._executor = executor
        self._post = post
        self._point = point

    def keep(self, order: KeepSavepoint) -> None:
        """Copy a committed checkpoint, then post SavepointKept."""

        def write() -> None:
            write_savepoint(self._store, open_store(order.address), order.checkpoint)

        def done(problem: RaystreamError | None) -> SavepointKept:
            return SavepointKept(order.ticket, order.address, problem)

        self._do("keep savepoint", write, done)

    def discard(self, address: str) -> None:
        """Delete a savepoint, then post SavepointDiscarded."""
        self._do(
            "discard savepoint",
            lambda: discard_savepoint(open_store(address)),
            lambda problem: SavepointDiscarded(address, problem),
        )

    def _do(
        self,
        name: str,
        work: Callable[[], None],
        event: Callable[[RaystreamError | None], JobEvent],
    ) -> None:
        def run() -> None:
            self._point(name)
            work()
            self._point(f"{name} done")

        def ended(future: Future[None]) -> None:
            if not future.cancelled():
                self._post(event(self._problem(future.exception())))

        self._executor.submit(run).add_done_callback(ended)

    def _problem(self, error: BaseException | None) -> RaystreamError | None:
        if error is None or isinstance(error, RaystreamError):
            return error
        if not isinstance(error, Exception):
            self.crash = error  # a test ends this process here: do not catch it
        return StorageError(told(error))
