"""A process known by its id and its start time, so that a reused id is never taken for it."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The child keeps reading until the last copy of the pipe's other end is gone, that is, until the
# starting process has ended in any way, SIGKILL included. (PR_SET_PDEATHSIG would not do: it fires
# at the end of the starting *thread*.)
_WATCH = 'read _; kill -KILL "$1"; [ -z "$2" ] || { sleep 1; rm -rf "$2"; }'


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process that may have ended.

    Attributes:
        pid: Its id.
        started: Its start time in clock ticks since boot, as /proc tells it.
    """

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether this very process still runs (stopped counts, a zombie does not)."""
        return _start_time(self.pid) == self.started

    def send(self, number: signal.Signals) -> bool:
        """Sends a signal if the process is still the one meant.

        Args:
            number: The signal.

        Returns:
            Whether it was sent.
        """
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def mark_of(pid: int) -> ProcessMark | None:
    """The mark of a process that runs now; None where there is none."""
    started = _start_time(pid)
    return ProcessMark(pid, started) if started else None


def kill_after_me(pid: int, directory: Path | None) -> subprocess.Popen[bytes]:
    """Starts a watchdog that kills a process when the calling process has ended.

    Args:
        pid: The process to kill.
        directory: A folder to remove afterwards, if any.

    Returns:
        The watchdog; whoever ends the process himself kills it first.
    """
    target = str(directory) if directory else ""
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "raystream-watchdog", str(pid), target],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _start_time(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]
