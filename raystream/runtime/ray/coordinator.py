"""The coordinator actor: a shell around the ControlLoop; all lasting state is in durable storage.

It creates the subtasks, so they die with it. Ray restarts it when its process dies; a new
incarnation goes through the same recovery as the first. A plain class, made an actor at the call
site.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystream.errors import RaystreamError
from raystream.ids import StepName
from raystream.job.outcome import Outcome
from raystream.job.stop_kind import StopKind
from raystream.runtime.process_log import log_to_stderr
from raystream.runtime.ray.guard import NAMESPACE
from raystream.runtime.ray.logs import (
    Marks,
    Piece,
    Process,
    read_everywhere,
)
from raystream.runtime.ray.watchdog import Lease, watch

if TYPE_CHECKING:
    from raystream.observe.history import Point
    from raystream.observe.status import StatusDocument
    from raystream.runtime.control import ControlLoop
    from raystream.runtime.ray.workers import RayWorkers
    from raystream.runtime.tail import Row, TailMarks

GROUPS = {"control": 1, "query": 2, "wait": 16, "watch": 16}
_ANSWER_TRIES = 40
_ANSWER_PAUSE = 0.05
"""Seconds for an answer to leave this process, and between checks for open ones."""

_WATCHED_RECENTLY = 2.0
_WATCHER_PAUSE = 0.5
"""Seconds for a recent watcher to ask again."""

_LINGER = 10.0
"""Seconds for viewers of an ended job, before its coordinator exits."""

T = TypeVar("T")


class Coordinator:
    """Runs one job to its end; made by `of_job`.

    Args:
        driver: Process that started it, for the message to a second one.
        environment: Variables of the driver: its brokers' address, named points.
    """

    job: ClassVar[bytes] = b""
    """The job, packed by its driver."""

    alone: ClassVar[bool] = False
    """No driver waits for its end: it exits by itself some time afterwards."""

    def __init__(self, driver: str = "", environment: Mapping[str, str] | None = None) -> None:
        # The dead of an attempt fail many calls at once; the status reports their cause, once.
        os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"
        log_to_stderr()
        self._driver = driver
        self._loop: ControlLoop | None = None
        self._workers: RayWorkers | None = None
        self._stop: tuple[StopKind, str | None, str] | None = None
        self._begun = threading.Event()
        self._asking = 0
        self._watched = float("-inf")
        self._outcome: Outcome | None = None
        self._over = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        watch(Lease())
        # A slow constructor would keep status() and stop() waiting.
        threading.Thread(
            target=self._run, args=(self.job, dict(environment or {})), name="raystream-control"
        ).start()

    @ray.method(concurrency_group="wait", max_task_retries=-1)
    def wait(self) -> Outcome:
        """Wait for the end of the job; Ray repeats the call after a restart of this process."""
        self._ended.wait()
        assert self._outcome is not None
        return self._outcome

    @ray.method(concurrency_group="watch", max_task_retries=-1)
    def ended(self, seconds: float) -> Outcome | None:
        """Like `wait`, for callers other than the driver, which ends this process afterwards.

        Args:
            seconds: Return None after this long, so that callers that have left do not hold a
                thread.
        """
        with self._answering():
            self._over.wait(seconds)
            self._watched = time.monotonic()
            return self._outcome

    @ray.method(concurrency_group="query")
    def status(self) -> StatusDocument | None:
        """The newest status document, None before the first."""
        loop, workers = self._loop, self._workers
        if loop is None or workers is None or loop.status is None:
            return None
        return replace(loop.status, notes=(*loop.status.notes, *workers.notes()))

    @ray.method(concurrency_group="query")
    def history(self) -> tuple[Point, ...]:
        """The last 15 minutes of this coordinator, for who begins to look now."""
        return () if self._loop is None else self._loop.history.points

    @ray.method(concurrency_group="query")
    def outcome(self) -> Outcome | None:
        """How the job ended, None while it runs."""
        return self._outcome

    @ray.method(concurrency_group="wait")
    def logs(self, marks: Marks, lines: int) -> list[Piece]:
        """Log lines of the job's processes; see `logs.read_here`."""
        workers = self._workers
        others, readers = workers.processes() if workers is not None else ([], {})
        me = Process("coordinator", str(ray.get_runtime_context().get_node_id()), os.getpid())
        return read_everywhere([me, *others], readers, marks, lines)

    @ray.method(concurrency_group="wait")
    def tail(self, step: StepName, marks: TailMarks) -> tuple[list[Row], TailMarks]:
        """Rows that passed a step since the last call; see `tails.gather`.

        Raises:
            ConfigurationError: at the first call, if there is no such step.
        """
        from raystream.runtime.ray.serialization import unpack_job  # as in `_run`
        from raystream.runtime.ray.tails import gather
        from raystream.runtime.tail import check

        if not marks:
            check(unpack_job(self.job), step)
        workers = self._workers
        return gather(workers.running(step) if workers is not None else {}, step, marks)

    @ray.method(concurrency_group="query")
    def fingerprint(self) -> str:
        """Fingerprint of what was submitted, see `JobSpec.fingerprint`."""
        from raystream.runtime.ray.serialization import unpack_job  # as in `_run`

        return unpack_job(self.job).fingerprint

    @ray.method(concurrency_group="query")
    def driver(self) -> str:
        """Process that started it."""
        return self._driver

    @ray.method(concurrency_group="control")
    def stop(self, kind: StopKind, savepoint: str | None = None, by: str = "") -> None:
        """Request the end of the job; returns at once.

        Args:
            kind: Kind of stop.
            savepoint: Keep the last checkpoint here, see `savepoint`; empty: at the default place.
                Its address is in the outcome. None: do not keep it.
            by: Who requests it, for people.
        """
        from raystream.storage.savepoints import refuse_unfit  # as in `_run`

        refuse_unfit(savepoint)
        with self._lock:
            self._stop = (kind, savepoint, by)
            loop = self._loop
        if loop is not None:
            loop.request_stop(kind, savepoint, by)

    @ray.method(concurrency_group="wait")
    def savepoint(self, target: str | None = None) -> str:
        """Take a checkpoint now and keep it; blocks until the copy is complete.

        Args:
            target: Absolute path or URL; None or empty: `<storage>/<job>/savepoints/<n>-<hex>`.

        Returns:
            Its address.

        Raises:
            ConfigurationError: something else exists there.
            RaystreamError: it could not be written, or the job ended before.
        """
        from raystream.storage.savepoints import refuse_unfit  # as in `_run`

        refuse_unfit(target)
        return self._answer(lambda loop: loop.request_savepoint(target))

    @ray.method(concurrency_group="wait")
    def checkpoint(self) -> int:
        """Take a checkpoint now; blocks until its output is committed. Returns its number.

        Raises:
            RaystreamError: the job ended before.
        """
        return self._answer(lambda loop: loop.request_checkpoint())

    def _answer(self, ask: Callable[[ControlLoop], Future[T]]) -> T:
        with self._answering():
            self._begun.wait()
            if self._loop is None:
                outcome = self._outcome
                text = f"the job did not start: {outcome.message if outcome else ''}"
                raise RaystreamError(text)
            return ask(self._loop).result()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with self._lock:
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1

    def _run(self, job: bytes, environment: Mapping[str, str]) -> None:
        try:
            # loads the engine, which is not needed where the class is: in the driver
            from raystream.runtime.ray.drive import drive

            self._outcome = drive(job, environment, self._begin)
        except Exception as error:  # noqa: BLE001 - the last place to report what happened
            from raystream.runtime.failure import failure_of  # as above

            failure = failure_of(error)
            self._outcome = Outcome("failed", "\n".join(failure.lines) or failure.message)
        finally:
            self._begun.set()
            self._over.set()
            self._let_answers_go()
            self._ended.set()
            if self.alone:
                self._go()

    def _go(self) -> None:
        """Exit: the job's storage holds all that is left to know, and the process takes 145 MB."""
        time.sleep(_LINGER)
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

    def _let_answers_go(self) -> None:
        """Let pending answers leave before the driver learns of the end, and ends this process."""
        asked = self._asking > 0
        watched = time.monotonic() - self._watched < _WATCHED_RECENTLY
        for _ in range(_ANSWER_TRIES):
            if not self._asking:
                break
            time.sleep(_ANSWER_PAUSE)
        if asked or watched:
            time.sleep(_WATCHER_PAUSE if watched else _ANSWER_PAUSE)

    def _begin(self, loop: ControlLoop, workers: RayWorkers) -> None:
        self._workers = workers
        with self._lock:
            self._loop = loop
            early = self._stop
        if early is not None:
            loop.request_stop(*early)
        self._begun.set()


def of_job(packed: bytes, *, alone: bool = False) -> type[Coordinator]:
    """The class of the coordinator of one job.

    The job is part of its class, which Ray keeps in the cluster's control service: an argument
    larger than 100 KB would be an object of the store, and Ray does not restart an actor whose
    argument is gone.
    """
    return type(Coordinator.__name__, (Coordinator,), {"job": packed, "alone": alone})


def actor_options(job: str, *, detached: bool) -> dict[str, Any]:
    """Options of the coordinator's actor; its name on the cluster is the name of the job."""
    options: dict[str, Any] = {
        "name": job,
        "namespace": NAMESPACE,
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": 0,
        "enable_task_events": False,
        "concurrency_groups": GROUPS,
    }
    if detached:
        return {**options, "lifetime": "detached"}
    # On the driver's node, since it dies with the driver anyway: one node less whose death ends it.
    # A soft affinity is not kept for an actor that reserves nothing.
    here = ray.get_runtime_context().get_node_id()
    return {**options, "scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False)}
