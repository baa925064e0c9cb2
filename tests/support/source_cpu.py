"""CPU of one source subtask by thread: real task, real broker, a process that reads its frames.

Run it as `scripts/source-cpu BOOTSTRAP TOPIC RECORDS`; in turn with another version's copy of the
tree, for a machine that others load makes each CPU second longer.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import raystream as rs
from raystream.api.jobs.run import RunOptions, prepare
from raystream.data.batch import Batch
from raystream.ids import ChannelId, SubtaskId
from raystream.job.spec import JobSpec, OpenRequest
from raystream.runtime.build import build_task
from raystream.runtime.channels.connection import IoThread
from raystream.runtime.channels.socket import SocketReader, SocketWriter
from raystream.runtime.collector import calm
from raystream.runtime.system_clock import SystemClock
from raystream.runtime.task import SourceDry, Task, Waiting
from raystream.storage.open import job_store
from tests.support.bench.job import PIPELINES, Order
from tests.support.broker import Broker

_AHEAD = 200_000


def main() -> None:
    """Print microseconds per record: of all threads, and of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("topic")
    parser.add_argument("records", type=int)
    parser.add_argument("--kind", choices=("requests", "wide"), default="requests")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        job = _job(given.kind, given.bootstrap, given.topic, home)
        spent = _measured(job, home)
    each = {name: ns / 1000 / given.records for name, ns in spent.most_common()}
    told = ", ".join(f"{name} {us:.3f}" for name, us in each.items() if us >= 0.005)
    load = os.getloadavg()[0]
    print(f"{given.kind}: {sum(each.values()):.3f} us per record ({told}); load {load:.0f}")


def _job(kind: str, bootstrap: str, topic: str, home: str) -> JobSpec:
    target = Broker.attach(bootstrap).create_topic(f"source-cpu-{time.time_ns()}", 1)
    pipeline = rs.Pipeline("source-cpu", checkpoint_storage=home)
    PIPELINES[kind](pipeline, Order(kind, bootstrap, topic, target, home, f"{home}/told"))
    job = prepare(pipeline, RunOptions(local=True, until="latest", parallelism=1), home, 1)
    assert job is not None
    return job


def _measured(job: JobSpec, home: str) -> Counter[str]:
    """Nanoseconds by name of thread, from the first poll to the end of the topic."""
    me = job.plan.sources()[0]
    channel = job.plan.channels_out_of(me)[0]
    mine, theirs = socket.socketpair()
    reading = multiprocessing.get_context("spawn").Process(target=_receive, args=(theirs,))
    reading.start()
    woken, io = threading.Event(), IoThread()
    dry: list[object] = []
    with ThreadPoolExecutor(4) as background:
        task = build_task(
            OpenRequest(job, 1, me, "0" * 8, {}, job.splits),
            job_store(home, job.name),
            {},
            {channel: SocketWriter(channel, mine, io, woken.set)},
            clock=SystemClock(),
            background=background,
            report=dry.append,
            wake=woken.set,
        )
        calm()
        before = _threads()
        own: list[int] = []
        processing = threading.Thread(target=_process, args=(task, woken, dry, own))
        processing.start()
        seen: dict[int, tuple[str, int]] = {}
        while processing.is_alive():
            processing.join(0.5)
            seen |= _threads()
        reading.terminate()
        task.close()
    spent: Counter[str] = Counter()
    for number, (name, ns) in seen.items():
        if number not in (os.getpid(), processing.native_id):  # this thread only looks
            spent[name] += ns - before.get(number, ("", 0))[1]
    spent["processing"] = own[0]
    return spent


def _process(task: Task, woken: threading.Event, dry: list[object], own: list[int]) -> None:
    while not any(isinstance(each, SourceDry) for each in dry):
        woken.clear()
        progress = task.step()
        if isinstance(progress, Waiting):
            until = progress.until if progress.until is not None else time.monotonic() + 1
            woken.wait(min(1.0, max(0.0, until - time.monotonic())))
    own.append(time.thread_time_ns())


def _receive(sock: socket.socket) -> None:
    came, io = threading.Event(), IoThread()
    reader = SocketReader(ChannelId(0, SubtaskId("read", 0), SubtaskId("count", 0)), came.set)
    reader.attach(sock, io)
    reader.allow(_AHEAD)
    while True:
        came.wait()
        came.clear()
        while (element := reader.poll()) is not None:
            if isinstance(element, Batch):
                reader.worked(len(element))


def _threads() -> dict[int, tuple[str, int]]:
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            name = (task / "comm").read_text().strip()
            found[int(task.name)] = name, int((task / "schedstat").read_text().split()[0])
        except OSError:  # it has ended
            continue
    return found


if __name__ == "__main__":
    main()
