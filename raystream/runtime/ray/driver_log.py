"""What Ray itself prints while it runs a job in the foreground: to a file, not to the terminal."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

_MOST_BYTES = 1_000_000
"""Read of the end of it."""


def log_of(job: str) -> Path:
    """Where it is: of the newest run of the job that this user started on this machine."""
    return Path.home() / ".raystream" / "logs" / f"{job}.ray.log"


def new_log(job: str) -> IO[bytes]:
    """An empty one, to be written; nameless where the home directory takes none."""
    path = log_of(job)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o600)
        return os.fdopen(made, "ab")
    except OSError:
        return tempfile.TemporaryFile("ab")


def last_lines(job: str, lines: int) -> list[str]:
    """The end of it; empty if there is none.

    Args:
        job: Name of the job.
        lines: At most so many.
    """
    try:
        with log_of(job).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _MOST_BYTES))
            text = log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return text[-lines:] if lines else []
