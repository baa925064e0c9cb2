"""Find silent subtasks that stand still: their process is stopped, or their whole node is.

Silence alone proves nothing for `liveness_timeout`: on a busy machine a process waits seconds to
run, and a call may hold Python's interpreter lock. That a process is stopped, its kernel says at
once; that a node is, one may believe sooner if nothing there answers, its raylet neither.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from raystream.ids import SubtaskId
from raystream.runtime.ray.actors import Worker
from raystream.runtime.ray.heartbeat import STOPPED_SECONDS, Pulse
from raystream.runtime.ray.main_thread import MainThread
from raystream.runtime.ray.node_table import listed_nodes
from raystream.runtime.ray.session import STOPPED, state_of

QUIET_SECONDS = STOPPED_SECONDS
"""Silence after which the kernel is asked about a process, and the raylet of a node about which
nothing else is heard."""

PROCESS = "its process stands still (stopped by a signal)"
NODE = "its node stands still or is cut off: nothing on it answers"

Members = Sequence[tuple[SubtaskId, Worker]]
Report = Callable[[SubtaskId, Worker, str], None]


class Stillness:
    """Looks at the workers of a job that do not answer. All calls come from the main thread.

    Args:
        main_thread: Waits for answers.
        here: Id of this node.
        report: Called with each subtask that stands still, its worker, and what does; the worker
            may have been replaced meanwhile.
    """

    def __init__(self, main_thread: MainThread, here: str, report: Report) -> None:
        self._main_thread = main_thread
        self._here = here
        self._report = report
        self._asked: set[int] = set()
        self._greeted: set[str] = set()

    def look(self, members: Members) -> None:
        """Look once; what others have to be asked is reported when they answer."""
        quiet = [one for one in members if _silent(one[1]) >= QUIET_SECONDS]
        for subtask, worker in quiet:
            if worker.node == self._here:
                self._look_here(subtask, worker)
            elif worker.node:
                self._ask_a_neighbour(subtask, worker, members)
        nodes = {worker.node for _, worker in quiet} - {self._here, ""} - self._greeted
        for node in nodes:
            there = [one for one in members if one[1].node == node]
            if all(_silent(worker) >= QUIET_SECONDS for _, worker in there):
                self._greet(node, there)

    def _look_here(self, subtask: SubtaskId, worker: Worker) -> None:
        assert worker.where is not None
        if state_of(worker.where.pid) == STOPPED:
            self._report(subtask, worker, PROCESS)

    def _ask_a_neighbour(self, subtask: SubtaskId, worker: Worker, members: Members) -> None:
        """Only a process of the same node can see it."""
        assert worker.where is not None
        pid = worker.where.pid
        near = [w for _, w in members if w.node == worker.node and _silent(w) < QUIET_SECONDS]
        if not near or pid in self._asked:
            return
        self._asked.add(pid)

        def then(stopped: Any) -> None:
            self._asked.discard(pid)
            if stopped is True and _silent(worker) >= QUIET_SECONDS:
                self._report(subtask, worker, PROCESS)

        self._main_thread.when(near[0].handle.is_stopped.remote(pid), then, QUIET_SECONDS)

    def _greet(self, node: str, there: Members) -> None:
        """Ask the raylet, in a thread: it may take a second not to answer."""
        found = [one for one in listed_nodes() if one.id == node]
        if not found:
            return  # Ray knows that it is gone, and tells each call to it
        self._greeted.add(node)

        def greet() -> None:
            silent = Pulse((found[0].host, found[0].port)).missing(0.0) is not None
            self._main_thread.put(lambda: self._greeted_one(node, there, silent=silent))

        threading.Thread(target=greet, name="raystream-greeting", daemon=True).start()

    def _greeted_one(self, node: str, there: Members, *, silent: bool) -> None:
        self._greeted.discard(node)
        if silent and all(_silent(worker) >= QUIET_SECONDS for _, worker in there):
            for subtask, worker in there:
                self._report(subtask, worker, NODE)


def _silent(worker: Worker) -> float:
    """Seconds since its last answer; 0 before the first."""
    return 0.0 if worker.where is None else time.monotonic() - worker.heard
