"""What a check found: one line that says what, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: an error keeps the job from running, a warning may one day."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        level: How bad.
        about: What was looked at: `topic counts`.
        said: What was found.
        what_to_do: Advice; empty where all is well.
    """

    level: Level
    about: str
    said: str
    what_to_do: str = ""

    def __str__(self) -> str:
        """One line.

        >>> print(Finding(Level.ERROR, "topic cuonts", "there is none", "did you mean 'counts'?"))
        error    topic cuonts: there is none; did you mean 'counts'?
        """
        advice = f"; {self.what_to_do}" if self.what_to_do else ""
        return f"{self.level:8} {self.about}: {self.said}{advice}"


def ok(about: str, said: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, about, said)


def warning(about: str, said: str, what_to_do: str = "") -> Finding:
    """The job runs, but."""
    return Finding(Level.WARNING, about, said, what_to_do)


def error(about: str, said: str, what_to_do: str = "") -> Finding:
    """The job cannot run, or would fail."""
    return Finding(Level.ERROR, about, said, what_to_do)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep the job from running."""
    return [one for one in findings if one.level is Level.ERROR]
