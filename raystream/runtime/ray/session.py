"""The processes of a session: a driver and all that Ray started for it, even after its end.

Ray's own processes stay in the session of the driver that started them; parents die, but the
session remains.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PROC = Path("/proc")
STOPPED = "T"
"""State of a process that a signal stopped; that of one under a debugger is another."""

_TRIES = 40
_PAUSE = 0.05


def members(session: int) -> list[int]:
    """Pids of the living processes of a session, without zombies.

    >>> os.getpid() in members(os.getsid(0)) or not _PROC.exists()
    True
    """
    if not _PROC.exists():
        return []
    return [int(entry) for entry in os.listdir(_PROC) if entry.isdigit() and _is_in(entry, session)]


def end_session(session: int, *, but: int | None = None) -> bool:
    """Send SIGKILL to every process of a session; returns whether none is left, after at most 2 s.

    Args:
        session: Its id: the pid of the process that started it.
        but: Pid of a process to spare.
    """
    for _ in range(_TRIES):
        left = [pid for pid in members(session) if pid != but]
        if not left:
            return True
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)
    return False


def state_of(pid: int) -> str:
    """Letter of the state of a process (STOPPED, ..); empty: no such process, or no /proc.

    >>> state_of(os.getpid()) in ("R", "S", "")
    True
    """
    return _stat(str(pid))[0]


def _is_in(entry: str, session: int) -> bool:
    state, sid = _stat(entry)
    return sid == session and state not in "ZX"


def _stat(entry: str) -> tuple[str, int]:
    try:
        stat = (_PROC / entry / "stat").read_text()
    except OSError:
        return "", -1
    state, _, _, sid = stat.rpartition(")")[2].split()[:4]
    return state, int(sid)
