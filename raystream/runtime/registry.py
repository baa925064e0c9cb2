"""Runs that this user started on this machine: where their cluster and their storage are.

A file of its own for each run, readable by its user alone, so that another terminal finds a run on
a private Ray, and what has ended. Whose process is gone, or has become another one, is over.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

KEPT = 100
"""Files of runs that are over; the oldest go."""


@dataclass(frozen=True, slots=True)
class KnownRun:
    """One run.

    Args:
        job: Name of the job.
        pid: Process that was started by the user.
        began: When the kernel started that process, so that a number used again is told apart.
        address: Of its private Ray cluster; empty: it has none (any more).
        storage: Address of its checkpoint storage, in which the job has its part.
    """

    job: str
    pid: int
    began: str
    address: str
    storage: str

    @property
    def lives(self) -> bool:
        """Whether its private cluster may be asked."""
        return bool(self.address) and began(self.pid) == self.began


def note(job: str, storage: str, address: str = "") -> None:
    """Write down (again) where a run of this process is. Never raises: it is for convenience.

    Args:
        job: Name of the job.
        storage: Address of its checkpoint storage; one in memory is nobody else's.
        address: Of its private Ray.
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
    """The private cluster of this process's run is gone; where its past is stays known."""
    pid = os.getpid()
    for path, run in _files():
        if (run.job, run.pid) == (job, pid):
            with contextlib.suppress(OSError):
                _write(path, replace(run, address=""))


def known() -> list[KnownRun]:
    """Every run that is written down, the newest first."""
    return [run for _, run in reversed(list(_files()))]


def directory() -> Path:
    """Where the files are."""
    return Path.home() / ".raystream" / "runs"


def began(pid: int) -> str:
    """When a process began, in the kernel's own words; empty if there is no such process.

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
    """Whole or not at all: others read meanwhile."""
    draft = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        json.dump(asdict(run), file)
    os.replace(draft, path)


def _files() -> Iterator[tuple[Path, KnownRun]]:
    """Oldest first; what cannot be read, or is not ours, is passed over."""
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
