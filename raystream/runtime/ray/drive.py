"""What the coordinator's process does: it makes loop, workers and telemetry, and runs the job.

Apart from the actor's class, which drivers load, too: this module loads the engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import ray

from raystream.job.outcome import Outcome
from raystream.observe.status import StatusDocument
from raystream.runtime.control import ControlLoop
from raystream.runtime.diary_book import DiaryBook
from raystream.runtime.otlp import OtlpMetrics
from raystream.runtime.points import points_of
from raystream.runtime.process_log import log_about, write_diary
from raystream.runtime.ray.exported_metrics import RayMetrics
from raystream.runtime.ray.logs import Process, read_everywhere
from raystream.runtime.ray.serialization import TELEMETRY, unpack_job
from raystream.runtime.ray.workers import RayWorkers
from raystream.runtime.system_clock import SystemClock
from raystream.storage.open import job_store

_SEGMENT_WRITERS = 4

_KEPT_LINES = 200
"""Lines of each process kept in the job's storage after the end."""

_KEPT_TEXT = 400_000


def drive(
    packed: bytes,
    environment: Mapping[str, str],
    begin: Callable[[ControlLoop, RayWorkers], None],
) -> Outcome:
    """Run a packed job to its end.

    Args:
        packed: The job.
        environment: See `serialization.environment_of_job`.
        begin: Called with the loop and its workers before they run.
    """
    point = points_of("coordinator", environment)
    job = unpack_job(packed)
    log_about(environment, job=job.name, process="coordinator")
    store = job_store(job.checkpoint.storage, job.name)
    writers = ThreadPoolExecutor(_SEGMENT_WRITERS, "raystream-segments")
    protocol = ThreadPoolExecutor(1, "raystream-protocol")
    copying = ThreadPoolExecutor(1, "raystream-savepoints")
    os.environ.update({n: v for n, v in environment.items() if n.startswith(TELEMETRY)})
    book, telemetry = DiaryBook(), OtlpMetrics(os.environ)
    tell = publishing(write_diary(), RayMetrics().publish, telemetry.publish, book.take)
    loop: ControlLoop | None = None
    workers = RayWorkers(job, packed, store, writers, environment)
    try:
        loop = ControlLoop(
            job,
            workers,
            store,
            SystemClock(),
            protocol,
            copying=copying,
            publish=tell,
            point=point,
        )
        workers.post = loop.post
        book.begin(loop.past)
        begin(loop, workers)
        outcome = loop.run()
        book.end(outcome)
        loop.past.logs(_last_logs(workers))
        return outcome
    finally:
        telemetry.end()
        workers.close()
        if loop is not None:
            loop.refuse_all()
        for pool in (writers, protocol, copying):
            pool.shutdown(wait=False, cancel_futures=True)


def _last_logs(workers: RayWorkers) -> str:
    """Last log lines of the processes, for readers after this cluster is gone."""
    others = workers.processes()[0]
    me = Process("coordinator", str(ray.get_runtime_context().get_node_id()), os.getpid())
    pieces = read_everywhere([me, *others], {}, {}, _KEPT_LINES)
    return "\n".join(line for piece in pieces for line in piece.prefixed())[-_KEPT_TEXT:]


def publishing(
    *each: Callable[[StatusDocument], None],
) -> Callable[[StatusDocument], None]:
    """A function that hands a status document to each of these."""

    def publish(status: StatusDocument) -> None:
        for one in each:
            one(status)

    return publish
