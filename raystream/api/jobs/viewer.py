"""A process that looks at one Ray cluster for the page.

A process can be connected to one cluster only, to change takes a second, and whoever waits for an
answer meanwhile gets none. And Ray ends a process whose cluster is gone; the page has to stay.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from raystream.errors import ConfigurationError, RaystreamError, told

_CODE = """
import sys
sys.path[:] = {path!r}
from raystream.api.jobs.viewer import main
main({pipe}, {address!r}, private={private!r})
"""
_THREADS = 8
_METHODS = ("statuses", "history", "rows", "act")


class Viewer:
    """Asks the jobs of one cluster through a process of its own; any thread may use it.

    Args:
        address: Of the cluster.
        private: It is the private one of a run on this machine.
    """

    def __init__(self, address: str, *, private: bool) -> None:
        self._pipe, theirs = Pipe()
        self._sending = threading.Lock()
        self._numbers = itertools.count()
        self._open: dict[int, Future[Any]] = {}
        self._over = False
        pipe = theirs.fileno()
        code = _CODE.format(path=list(sys.path), pipe=pipe, address=address, private=private)
        nowhere = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=nowhere,
            stdout=nowhere,
            stderr=nowhere,
            pass_fds=(pipe,),
            start_new_session=True,
        )
        theirs.close()
        threading.Thread(target=self._receive, name="raystream-viewer", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._over

    def ask(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of `ClusterJobs` there.

        Args:
            method: Its name.
            arguments: Its arguments.
        """
        future: Future[Any] = Future()
        with self._sending:
            number = next(self._numbers)
            self._open[number] = future
            with suppress(OSError):
                self._pipe.send((number, method, arguments))
        if self._over:
            self._fail_open()
        return future

    def close(self) -> None:
        """End the process; whoever waits gets an error."""
        self._process.kill()
        self._process.wait()

    def _receive(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                number, value, error = self._pipe.recv()
                future = self._open.pop(number)
                if error is None:
                    future.set_result(value)
                else:
                    future.set_exception(error)
        self._over = True
        self._process.wait()
        self._fail_open()

    def _fail_open(self) -> None:
        for number in list(self._open):
            future = self._open.pop(number, None)
            if future is not None:
                future.set_exception(RaystreamError("its Ray cluster is gone"))


def main(pipe: int, address: str, *, private: bool) -> None:
    """Run the process, until the page is gone.

    Args:
        pipe: File descriptor of its end of the pipe.
        address: Of the cluster.
        private: See `Viewer`.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the page has blocked some
    asker = _Asker(Connection(pipe), address, private=private)
    with suppress(EOFError, OSError), ThreadPoolExecutor(_THREADS) as pool:
        while True:
            pool.submit(asker.answer, *asker.pipe.recv())
    os._exit(0)


class _Asker:
    def __init__(self, pipe: Connection, address: str, *, private: bool) -> None:
        from raystream.api.jobs.cluster_jobs import ClusterJobs

        self.pipe = pipe
        self._jobs = ClusterJobs(address)
        self._cluster = (address, private)
        self._sending = threading.Lock()
        self._connecting = threading.Lock()

    def answer(self, number: int, method: str, arguments: tuple[Any, ...]) -> None:
        """Answer one question."""
        value, failure = None, None
        try:
            assert method in _METHODS
            self._connect()
            value = getattr(self._jobs, method)(*arguments)
        except RaystreamError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - of Ray, say: it may not be fit to be sent
            failure = RaystreamError(told(error))
        with suppress(OSError), self._sending:
            self.pipe.send((number, value, failure))

    def _connect(self) -> None:
        from raystream.runtime.ray.cluster import check_reachable, look_at_private
        from raystream.runtime.ray.remote_job import connect_if_there_is_one

        address, private = self._cluster
        check_reachable(address)  # Ray itself notices after a minute, and ends this process
        with self._connecting:
            there = look_at_private(address) if private else connect_if_there_is_one(address)
        if not there:
            what = "its Ray cluster is gone"
            raise ConfigurationError(what)
