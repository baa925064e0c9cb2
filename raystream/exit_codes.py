"""How every command ends: the one table of exit codes, which docs/command-line.md shows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit code of a command.

    >>> int(ExitCode.DONE), int(ExitCode.CANCELLED)
    (0, 4)
    """

    DONE = 0
    FAILED = 1
    REFUSED = 2
    SUPERSEDED = 3
    CANCELLED = 4
    NOT_ENDED = 5


MEANINGS: Mapping[ExitCode, str] = {
    ExitCode.DONE: "finished, or stopped with everything committed; submitted; nothing is wrong",
    ExitCode.FAILED: "the job failed, a test failed, or `lint --strict` has advice",
    ExitCode.REFUSED: "wrong usage or configuration, or refused: nothing was done",
    ExitCode.SUPERSEDED: "superseded: a newer run of the same job took over",
    ExitCode.CANCELLED: "cancelled: ended without a last commit, or interrupted by Ctrl-C",
    ExitCode.NOT_ENDED: "the job has not ended yet: `stop` waited no longer",
}
"""What each code means."""

OF_OUTCOME: Mapping[str, ExitCode] = {
    "finished": ExitCode.DONE,
    "stopped": ExitCode.DONE,
    "submitted": ExitCode.DONE,
    "failed": ExitCode.FAILED,
    "superseded": ExitCode.SUPERSEDED,
    "cancelled": ExitCode.CANCELLED,
}
"""The end of a run -> its code; a run that was refused is REFUSED."""
