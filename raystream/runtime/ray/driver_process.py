"""The run's end of its driver: start it, talk to it, end it with all that it started."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from multiprocessing import Pipe
from typing import IO

from raystream.runtime.ray import driver_messages as said
from raystream.runtime.ray.session import end_session

_CODE = """
import sys
sys.path[:] = {path!r}
__file__ = sys.argv[0] = {script!r}
from raystream.runtime.ray.driver import main
main({pipe})
"""


class DriverProcess:
    """One driver, in a session of its own: Ctrl-C on the terminal does not reach it.

    Args:
        address: Of the cluster; see `cluster.attached`.
        log: Takes what it prints.
    """

    def __init__(self, address: str | None, log: IO[bytes]) -> None:
        self._sending = threading.Lock()
        self._pipe, theirs = Pipe()
        pipe = theirs.fileno()
        # Ray gives the path and the place of the script to its workers.
        code = _CODE.format(path=list(sys.path), script=sys.argv[0], pipe=pipe)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(pipe,),
            start_new_session=True,
        )
        theirs.close()
        self.send(said.Attach(address))

    def send(self, order: said.Attach | said.Launch | said.Stop | said.Ask) -> None:
        """Tell it something; that it is gone shows at the next `receive`."""
        with contextlib.suppress(OSError), self._sending:
            self._pipe.send(order)

    def receive(self, timeout: float) -> said.FromDriver | None:
        """What it says next; None after `timeout` seconds without a word."""
        try:
            if not self._pipe.poll(timeout):
                return None
            message: said.FromDriver = self._pipe.recv()
        except (EOFError, OSError):
            return said.Lost("its driver is gone")
        return message

    def end(self, patience: float = 0.0) -> None:
        """SIGKILL to it and all that Ray started for it.

        Args:
            patience: Seconds in which it may end by itself.
        """
        if self._pipe.closed:  # ended before: its pid may be another's
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        end_session(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._pipe.close()
