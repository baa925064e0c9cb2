"""Runs that this user started on this machine, with their cluster and storage.

One file for each run, readable only by its user, so that another terminal finds a run on a
private Ray, and runs that have ended. If its process is gone, or its pid was reused, a run is over.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

KEPT = 100
"""Number of files of ended runs to keep; the oldest are deleted."""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """One run.

    Args:
        job: Name of the job.
        pid: Process started by the user.
        began: Kernel start time of that process, to detect a reused pid.
        address: Address of its private Ray cluster; empty: it has none (any more).
        storage: Address of its checkpoint storage, in which the job has its part.
    """

    job: str
    pid: int
    began: str
    address: str
    storage: str

    @property
    def lives(self) -> bool:
        """Whether its private cluster may still be reachable."""
        return bool(self.address) and began(self.pid) == self.began


def note(job: str, storage: str, address: str = "") -> None:
    """Record (again) a run of this process. Never raises: it is only for convenience.

    Args:
        job: Name of the job.
        storage: Address of its checkpoint storage; in-memory storage is not recorded.
        address: Address of its private Ray.
    """
    if storage.startswith("memory://"):
        return
    pid = os.getpid()
    run = KnownRun(job, pid, began(pid), address, storage)
    with contextlib.suppress(OSError):
        folder = directory()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, other in _files():
            if other.job == job and other.pid != pid and not other.lives:
                path.unlink(missing_ok=True)
        _write(folder / f"{job}-{pid}.json", run)
        _forget_the_oldest()


def over(job: str) -> None:
    """Record that the private cluster of this process's run is gone; keep its storage address."""
    pid = os.getpid()
    for path, run in _files():
        if (run.job, run.pid) == (job, pid):
            with contextlib.suppress(OSError):
                _write(path, replace(run, address=""))


def known() -> list[KnownRun]:
    """Every recorded run, newest first."""
    return [run for _, run in reversed(list(_files()))]


def directory() -> Path:
    """Directory of the files."""
    return Path.home() / ".raystream" / "runs"


def began(pid: int) -> str:
    """Start time of a process as given by the kernel; empty if there is no such process.

    >>> began(os.getpid()) == began(os.getpid()) != began(2**22 + 1)
    True
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if os.path.isdir("/proc/self") else _without_proc(pid)
    return text.rpartition(")")[2].split()[19]


def _without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "?"


def _write(path: Path, run: KnownRun) -> None:
    """Write the file atomically, since others may read it meanwhile."""
    draft = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        json.dump(asdict(run), file)
    os.replace(draft, path)


def _files() -> Iterator[tuple[Path, KnownRun]]:
    """All files, oldest first; skips those that cannot be read or belong to other users."""
    found = []
    for path in directory().glob("*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            about = path.stat()
            if about.st_uid == os.getuid():
                found.append((about.st_mtime, path, KnownRun(**json.loads(path.read_text()))))
    for _, path, run in sorted(found, key=lambda each: each[0]):
        yield path, run


def _forget_the_oldest() -> None:
    gone = [path for path, run in _files() if not run.lives]
    for path in gone[:-KEPT]:
        path.unlink(missing_ok=True)
