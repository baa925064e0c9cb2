"""What can go wrong, as values with three parts: what was wrong, where, and what to do."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Sequence
from typing import Self

from raystream.cell_names import rendered
from raystream.exit_codes import ExitCode


def told(error: BaseException) -> str:
    r"""An exception in one line; one without a text, such as TimeoutError, by where it was raised.

    >>> told(TimeoutError()), told(ValueError("no\nsecond line"))
    ('TimeoutError', 'ValueError: no')
    >>> told(RaystreamError("no column 'ipp'", "job.py:9"))
    "job.py:9: no column 'ipp'"
    """
    lines = str(error).strip().splitlines()
    if isinstance(error, RaystreamError) and lines:
        return lines[0]
    kind = type(error).__name__
    return f"{kind}: {lines[0]}" if lines else f"{kind}{_raised_in(error)}"


def _raised_in(error: BaseException) -> str:
    """What was being done: the innermost function."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f" in {frames[-1].name} ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})"


class RaystreamError(Exception):
    """Base of every error that raystream raises on purpose.

    Args:
        what: One short sentence: what was wrong.
        where: Place: `file.py:12`, a topic and offset, a step name. Empty where there is none.
        what_to_do: Advice in the imperative. Empty where there is none.

    >>> print(RaystreamError("no column 'ipp'", "job.py:9", "did you mean 'ip'?"))
    job.py:9: no column 'ipp'; did you mean 'ip'?
    """

    exit_code: int = ExitCode.FAILED
    places: Sequence[int] = ()
    """Numbers of the rows that failed, where they carry any (data.batch.PLACE)."""
    record: str = ""
    """The record that failed, or the first of its batch, if it is known."""

    def __init__(self, what: str, where: str = "", what_to_do: str = "") -> None:
        self.what = what
        self.where = where
        self.what_to_do = what_to_do
        super().__init__(what, where, what_to_do)

    def __str__(self) -> str:
        """One line: place, fault, advice."""
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.what_to_do}" if self.what_to_do else ""
        return f"{place}{self.what}{advice}"

    def extend(self, more: str) -> None:
        """Say more of what was wrong, at the end of the sentence.

        >>> error = RaystreamError("it is too large", "job.py:9")
        >>> error.extend(", in topic a"); print(error)
        job.py:9: it is too large, in topic a
        """
        self.what += more
        self.args = (self.what, self.where, self.what_to_do)

    def placed(self, where: str) -> Self:
        """The same error at another place."""
        found = copy.copy(self)
        found.where = where
        found.args = (self.what, where, self.what_to_do)
        return found

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback, whose frames of ours only bury it."""
        return rendered(self)


class ConfigurationError(RaystreamError):
    """The job as written cannot run: a wrong option, name, column, address (exit code 2)."""

    exit_code = ExitCode.REFUSED


class JobFailed(RaystreamError):
    """The job ended with an error that a restart does not cure (exit code 1)."""


class DataError(RaystreamError):
    """A record does not decode or does not fit, and its policy is `fail`."""


class UserCodeError(RaystreamError):
    """A function of the user raised; `what` holds its type and text, `where` its own line."""


class StorageError(RaystreamError):
    """Checkpoint storage cannot be used, or an object in it is damaged."""


class Superseded(RaystreamError):  # noqa: N818 - an outcome, not an error: house.md calls it so
    """A newer attempt of the same job exists: this one sends nothing and ends (exit code 3)."""

    exit_code = ExitCode.SUPERSEDED


class OutputLost(RaystreamError):  # noqa: N818 - see Superseded
    """A transaction named by a durable manifest cannot be committed any more: stop and tell."""
