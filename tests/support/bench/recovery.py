"""How long no committed row comes after a process or a node was killed or frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support import processes
from tests.support.bench.committed import Reader
from tests.support.bench.figure import Figure
from tests.support.bench.lab import ROOT, Lab
from tests.support.bench.steady import EventClock, live, live_order, seed

_CALM_S = 6.0
"""Between two faults: the job runs again, a few checkpoints were completed, and the next restart
is immediate again."""

_LONGEST_S = 60.0
_CONTINUES_S = 3.0


def recovery(lab: Lab) -> list[Figure]:
    """Gaps after faults of processes on a private Ray."""
    times = lab.faults(2, 10)
    with _live_job(lab) as (pid, reader):
        killed = _gaps(times, reader, lambda: _send(_subtask(pid), signal.SIGKILL))
        gone = _gaps(times, reader, lambda: _send(_coordinator(pid), signal.SIGKILL))
        frozen = _gaps(times, reader, lambda: _send(_subtask(pid), signal.SIGSTOP))
    return [
        Figure("output gap after SIGKILL of a subtask", killed, "s", 2.0),
        Figure("output gap after SIGKILL of the coordinator", gone, "s", 4.0),
        Figure("output gap after SIGSTOP of a subtask", frozen, "s", 6.0),
    ]


def nodes(lab: Lab) -> list[Figure]:
    """Gaps after faults of a second node of Ray."""
    times = lab.faults(1, 10)
    with Cluster(lab) as cluster:
        environment = {**lab.environment(), "RAY_ADDRESS": cluster.address}
        with _live_job(lab, environment, address=cluster.address) as (_, reader):
            killed = _gaps(times, reader, lambda: cluster.ask("kill"), lambda: cluster.ask("add"))
            frozen = _gaps(times, reader, lambda: cluster.ask("freeze"), lambda: cluster.ask("add"))
    return [
        Figure("output gap after SIGKILL of a second node's raylet", killed, "s", 8.0),
        Figure("output gap after SIGSTOP of a second node", frozen, "s", 9.0),
    ]


class Cluster:
    """Ray with a head without CPUs and nodes of two, in a process of its own.

    Args:
        lab: For its directory.
        workers: How many nodes beside the head.
    """

    def __init__(self, lab: Lab, workers: int = 2) -> None:
        command = [sys.executable, "-m", "tests.support.bench.cluster", str(workers)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=lab.environment(),
            cwd=ROOT,
        )
        self.pid = self._process.pid
        self.address = str(self._answer()["address"])

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.ask("end")
        self._process.communicate()

    def ask(self, what: str) -> dict[str, Any]:
        """Do something to the last node: `kill`, `freeze`, `add` another one; `end` all."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # Ray itself prints, too
                answer: dict[str, Any] = json.loads(line)
                return answer
        message = "the Ray cluster ended"
        raise RuntimeError(message)


@contextmanager
def _live_job(
    lab: Lab, environment: Mapping[str, str] | None = None, **more: Any
) -> Iterator[tuple[int, Reader]]:
    source = lab.broker.create_topic(f"faults-{time.monotonic_ns()}", 4)
    target = lab.target()
    reader = lab.reader(target)
    order = live_order(lab, source, target, **more)
    seed(lab, source)
    try:
        with (
            lab.running(order, environment) as child,
            live(lab, source, EventClock(time.time(), 1e9)) as writer,
        ):
            _wait_for_rows(reader)
            yield child.pid, reader
            writer.check()
    finally:
        reader.close()


def _gaps(
    times: int,
    reader: Reader,
    fault: Callable[[], object],
    mend: Callable[[], object] = lambda: None,
) -> tuple[float, ...]:
    found = []
    for _ in range(times):
        time.sleep(_CALM_S)
        began = time.monotonic()
        fault()
        found.append(_gap(reader, began))
        mend()
    return tuple(found)


def _gap(reader: Reader, began: float) -> float:
    """The longest time without committed rows, until they have come for some seconds again."""
    while True:
        time.sleep(0.1)
        now = time.monotonic()
        marks = [each.at for each in reader.seen]
        last = max((at for at in marks if at <= began), default=began)
        after = [last, *(at for at in marks if at > began)]
        longest = max((b - a for a, b in zip(after, after[1:], strict=False)), default=0.0)
        open_since = now - after[-1]
        steady = now - began > _CONTINUES_S + longest and open_since < longest
        if steady and len(after) > 2:
            return longest
        if now - began > _LONGEST_S:
            message = f"no committed row for {open_since:.0f} s"
            raise TimeoutError(message)


def _wait_for_rows(reader: Reader) -> None:
    deadline = time.monotonic() + 90
    while not reader.seen:
        if time.monotonic() > deadline:
            message = "the job writes nothing"
            raise TimeoutError(message)
        time.sleep(0.1)


def _subtask(pid: int) -> int:
    return processes.subtasks(pid)[0].pid


def _coordinator(pid: int) -> int:
    return processes.coordinators(pid)[0].pid


def _send(pid: int, what: signal.Signals) -> None:
    os.kill(pid, what)
