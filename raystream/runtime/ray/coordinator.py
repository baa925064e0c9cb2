"""The coordinator actor: a shell around the ControlLoop; its only truth is in durable storage.

It makes the subtasks, so they die with it. Ray restarts it when its process dies; a new incarnation
goes through the same recovery as the first. A plain class, made an actor at the call site.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.observe.status import StatusDocument
from raystream.runtime.control import ControlLoop
from raystream.runtime.failure import failure_of
from raystream.runtime.points import points_of
from raystream.runtime.ray.logs import (
    Marks,
    Piece,
    Process,
    log_to_stderr,
    read_everywhere,
    write_diary,
)
from raystream.runtime.ray.parcels import unpack_job
from raystream.runtime.ray.watchdog import Lease, watch
from raystream.runtime.ray.workers import RayWorkers
from raystream.runtime.system_clock import SystemClock
from raystream.storage.open import job_store

GROUPS = {"control": 1, "query": 2, "wait": 8}
_SEGMENT_WRITERS = 4


class Coordinator:
    """Runs one job to its end.

    Args:
        job: The job, packed by its driver.
        driver: Who started it, for the message to a second one.
        environment: Variables of the driver: its brokers' address, named points.
    """

    def __init__(
        self, job: bytes, driver: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        # The dead of an attempt fail many calls at once; their cause is told once, by the status.
        os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"
        log_to_stderr()
        self._driver = driver
        self._loop: ControlLoop | None = None
        self._workers: RayWorkers | None = None
        self._stop: StopKind | None = None
        self._outcome: Outcome | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()
        watch(Lease())
        # A constructor that takes long would keep status() and stop() waiting.
        threading.Thread(
            target=self._run, args=(job, dict(environment or {})), name="raystream-control"
        ).start()

    @ray.method(concurrency_group="wait", max_task_retries=-1)
    def wait(self) -> Outcome:
        """Blocks to the end of the job; asked again by Ray when this process was restarted."""
        self._ended.wait()
        assert self._outcome is not None
        return self._outcome

    @ray.method(concurrency_group="query")
    def status(self) -> StatusDocument | None:
        """The newest status document, None before the first."""
        loop, workers = self._loop, self._workers
        if loop is None or workers is None or loop.status is None:
            return None
        return replace(loop.status, notes=(*loop.status.notes, *workers.notes()))

    @ray.method(concurrency_group="query")
    def outcome(self) -> Outcome | None:
        """How the job ended, None while it runs."""
        return self._outcome

    @ray.method(concurrency_group="wait")
    def logs(self, marks: Marks, lines: int) -> list[Piece]:
        """What the job's processes wrote; see `logs.read_here`."""
        workers = self._workers
        others, readers = workers.processes() if workers is not None else ([], {})
        me = Process("coordinator", str(ray.get_runtime_context().get_node_id()), os.getpid())
        return read_everywhere([me, *others], readers, marks, lines)

    @ray.method(concurrency_group="query")
    def driver(self) -> str:
        """Who started it."""
        return self._driver

    @ray.method(concurrency_group="control")
    def stop(self, kind: StopKind) -> None:
        """Ask the job to end."""
        with self._lock:
            self._stop = kind
            loop = self._loop
        if loop is not None:
            loop.request_stop(kind)

    def _run(self, job: bytes, environment: Mapping[str, str]) -> None:
        try:
            self._outcome = self._drive(job, environment)
        except Exception as error:  # noqa: BLE001 - the last place to tell what happened
            failure = failure_of(error)
            self._outcome = Outcome("failed", "\n".join(failure.lines) or failure.message)
        finally:
            self._ended.set()

    def _drive(self, packed: bytes, environment: Mapping[str, str]) -> Outcome:
        point = points_of("coordinator", environment)
        job = unpack_job(packed)
        store = job_store(job.checkpoint.storage, job.name)
        writers = ThreadPoolExecutor(_SEGMENT_WRITERS, "raystream-segments")
        protocol = ThreadPoolExecutor(1, "raystream-protocol")
        workers = RayWorkers(job, packed, store, writers, environment)
        try:
            loop = ControlLoop(
                job, workers, store, SystemClock(), protocol, publish=write_diary(), point=point
            )
            workers.post = loop.post
            self._workers = workers
            self._publish_loop(loop)
            return loop.run()
        finally:
            workers.close()
            for pool in (writers, protocol):
                pool.shutdown(wait=False, cancel_futures=True)

    def _publish_loop(self, loop: ControlLoop) -> None:
        with self._lock:
            self._loop = loop
            early = self._stop
        if early is not None:
            loop.request_stop(early)


def actor_options(job: str, *, detached: bool) -> dict[str, Any]:
    """Options of the coordinator's actor: its name on the cluster is the name of the job."""
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
    # Beside the driver, with which it dies anyway: one node less whose death it can die of. A soft
    # affinity is not kept for an actor that reserves nothing.
    here = ray.get_runtime_context().get_node_id()
    return {**options, "scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False)}


NAMESPACE = "raystream"
"""Where the coordinators of all jobs of a cluster have their names."""
