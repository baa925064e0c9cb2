"""Make processes that are cut off end themselves, and kill processes reliably."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

_POLL = 0.25
CUT_OFF = 7
"""Exit code of a process that found itself cut off."""


class Lease:
    """How long a subtask may live without contact to its coordinator; unlimited before the first.

    >>> lease = Lease(); lease.expired()
    False
    >>> lease.renew(-1.0); lease.expired()
    True
    """

    def __init__(self) -> None:
        self._until: float | None = None

    def renew(self, seconds: float) -> None:
        """Renew the lease on a call from the coordinator."""
        self._until = time.monotonic() + seconds

    def expired(self) -> bool:
        """Whether the coordinator has been silent for too long."""
        return self._until is not None and time.monotonic() > self._until


def watch(lease: Lease, end: Callable[[int], object] = os._exit) -> None:
    """End this process when its parent is gone or the lease has expired.

    The parent is the raylet, or what a private Ray forks workers from, which ends with it.
    A raylet that is killed leaves its workers running as orphans that cannot be reached any more.
    """
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent and not lease.expired():
            time.sleep(_POLL)
        end(CUT_OFF)

    threading.Thread(target=look, name="raystream-watchdog", daemon=True).start()


def end_process(pid: int) -> bool:
    """Send SIGKILL to a Ray worker of this machine by pid; works at once on a stopped process.

    `ray.kill` reports a stopped actor as dead at once, but the process lives 5 s more. Returns
    whether there was such a process.
    """
    with contextlib.suppress(OSError):
        if _is_ray_worker(pid):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _is_ray_worker(pid: int) -> bool:
    """Whether the pid is still a Ray worker, as it may have been reused; assumed without /proc."""
    proc = Path("/proc")
    if not (proc / "self").exists():
        return True
    return (proc / str(pid) / "cmdline").read_bytes().startswith(b"ray::")
