"""Ray's own output while it runs a job in the foreground: to a file, not to the terminal."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

_MOST_BYTES = 1_000_000
"""Bytes read from its end."""


def log_of(job: str) -> Path:
    """Path of the log: that of the job's newest run that this user started on this machine."""
    return Path.home() / ".raystream" / "logs" / f"{job}.ray.log"


def new_log(job: str) -> IO[bytes]:
    """A new empty log to write; an unnamed file if the home directory is not writable."""
    path = log_of(job)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND, 0o600)
        return os.fdopen(made, "ab")
    except OSError:
        return tempfile.TemporaryFile("ab")


def last_lines(job: str, lines: int) -> list[str]:
    """Last lines of the log; empty if there is none.

    Args:
        job: Name of the job.
        lines: Maximum number of lines.
    """
    try:
        with log_of(job).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _MOST_BYTES))
            text = log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return text[-lines:] if lines else []
