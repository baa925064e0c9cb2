"""The run's side of its driver: start it, talk to it, kill it with all that it started."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from multiprocessing import Pipe
from typing import IO

from raystream.runtime.ray import driver_messages as messages
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
        log: Receives its output.

    It imports Ray, and waits for an order to attach.
    """

    def __init__(self, log: IO[bytes]) -> None:
        self.log = log
        self._sending = threading.Lock()
        self._pipe, theirs = Pipe()
        pipe = theirs.fileno()
        # Ray passes the path and the directory of the script on to its workers.
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

    def send(self, order: messages.Attach | messages.Launch | messages.Stop | messages.Ask) -> None:
        """Send an order; if the driver is gone, the next `receive` reports it."""
        with contextlib.suppress(OSError), self._sending:
            self._pipe.send(order)

    def receive(self, timeout: float) -> messages.FromDriver | None:
        """The next message of the driver; None after `timeout` seconds without one."""
        try:
            if not self._pipe.poll(timeout):
                return None
            message: messages.FromDriver = self._pipe.recv()
        except (EOFError, OSError):
            return messages.Lost("its driver is gone")
        return message

    def end(self, patience: float = 0.0) -> None:
        """Send SIGKILL to it and all that Ray started for it.

        Args:
            patience: Seconds in which it may exit by itself.
        """
        if self._pipe.closed:  # ended before: its pid may be reused
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        end_session(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._pipe.close()
