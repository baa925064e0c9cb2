"""The driver of a foreground run: a separate process, so that Ray can die without the run.

A driver dies with its raylet, prints the output of Ray's C++ code, and may hang for a minute when
the control service is gone. The run itself is the process that the user started: it talks to the
driver through a pipe, kills it with all of its private cluster, and starts another
(runtime.ray.foreground).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from raystream.errors import ConfigurationError
from raystream.runtime.ray import driver_messages as messages
from raystream.runtime.ray.session import end_session

_EXIT = 7
_LOOK = 0.2
_ANSWERS_AT_ONCE = 8


def main(pipe: int) -> None:
    """Run the driver process; see `driver_process`.

    Args:
        pipe: File descriptor of its end of the pipe to the run.
    """
    Driver(Connection(pipe)).run()


class Driver:
    """Attaches, launches and watches a job on orders of the run.

    Args:
        pipe: Pipe to the run.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._private = False
        self._coordinator: Any = None

    def run(self) -> None:
        """Serve the run to the end of the job."""
        import_module("raystream.runtime.ray.cluster")  # with Ray, while the job is planned
        order = self._next_order()
        assert isinstance(order, messages.Attach)
        if self._attach(order.address):
            # `ray job stop` signals every descendant: the run handles it, and sends us orders
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._watch_over()
        self._leave()

    def _tell(self, message: messages.FromDriver) -> None:
        """Send a message; if the run is gone, leave."""
        try:
            with self._sending:
                self._pipe.send(message)
        except OSError:
            self._leave()

    def _attach(self, address: str | None) -> bool:
        from raystream.runtime.ray.cluster import connect, cpus, gcs_address

        attached = threading.Event()
        _in_background(lambda: self._look_for_the_dead(attached))
        try:
            private = connect(address)
        except ConfigurationError as error:
            self._tell(messages.Refused(error))
            return False
        except Exception as error:  # noqa: BLE001 - whatever Ray raises when it does not start
            self._tell(messages.NotStarted(_line(error)))
            return False
        finally:
            attached.set()
        self._private = private
        self._tell(messages.Attached(private, cpus(), gcs_address()))
        return True

    def _look_for_the_dead(self, attached: threading.Event) -> None:
        """Check for dead parts while a private Ray starts: that wait cannot be interrupted."""
        from raystream.runtime.ray.private_ray import dead_part

        while not attached.wait(_LOOK):
            dead = dead_part()
            if dead is not None and not attached.is_set():
                self._tell(messages.NotStarted(f"{dead} died", again=True))
                self._leave()

    def _watch_over(self) -> None:
        from raystream.runtime.ray.entry import CoordinatorGone, Signals, Watch, launch_packed
        from raystream.runtime.ray.heartbeat import Heartbeat

        heartbeat = Heartbeat(lambda what: self._tell(messages.Lost(what)), private=self._private)
        order = self._next_order()
        assert isinstance(order, messages.Launch)
        signals = Signals()
        self._listen(order.name, signals, heartbeat)
        try:
            coordinator = launch_packed(order.name, order.storage, order.packed, order.environment)
        except ConfigurationError as error:
            self._tell(messages.Refused(error))
            return
        self._coordinator = coordinator
        watch = Watch(
            coordinator,
            lambda status: self._tell(messages.Told(status)),
            signals,
            lambda: self._tell(messages.Alive()),
        )
        try:
            self._tell(messages.Ended(watch.outcome()))
        except CoordinatorGone:  # with all that could start another one
            self._tell(messages.Lost("its coordinator is gone"))

    def _next_order(self) -> object:
        try:
            return self._pipe.recv()
        except (EOFError, OSError):
            self._leave()

    def _listen(self, job: str, signals: Any, heartbeat: Any) -> None:
        """Receive orders while the job runs; if the run is gone, end the driver and its cluster."""
        answering = ThreadPoolExecutor(_ANSWERS_AT_ONCE, "raystream-answers")

        def listen() -> None:
            while True:
                match self._next_order():
                    case messages.Stop() as stop:
                        heartbeat.hurry()
                        signals.ask(stop.kind, stop.savepoint, stop.by)
                    case messages.Ask() as question:
                        answering.submit(self._answer, job, question)

        _in_background(listen)

    def _answer(self, job: str, question: messages.Ask) -> None:
        from raystream.runtime.ray.remote_job import RemoteJob

        try:
            asked = RemoteJob(job, self._coordinator)
            value = asked.ask(question.method, *question.arguments)
            self._tell(messages.Answer(question.number, value))
        except Exception as error:  # noqa: BLE001 - it is for the caller
            self._tell(messages.Answer(question.number, error=error))

    def _leave(self) -> NoReturn:
        """Exit at once: Ray's exit handlers of a driver may wait for dead processes."""
        end_session(os.getpid(), but=os.getpid())
        os._exit(_EXIT)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="raystream-orders", daemon=True).start()


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
