"""A finding of a check: one line that says what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Severity: an error prevents the job from running, a warning may do so later."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked.

    Args:
        level: Severity.
        about: What was checked: `topic counts`.
        text: What was found.
        what_to_do: Advice; empty if all is well.
    """

    level: Level
    about: str
    text: str
    what_to_do: str = ""

    def __str__(self) -> str:
        """Format as one line.

        >>> print(Finding(Level.ERROR, "topic cuonts", "there is none", "did you mean 'counts'?"))
        error    topic cuonts: there is none; did you mean 'counts'?
        """
        advice = f"; {self.what_to_do}" if self.what_to_do else ""
        return f"{self.level:8} {self.about}: {self.text}{advice}"


def ok(about: str, text: str) -> Finding:
    """A finding that all is well."""
    return Finding(Level.OK, about, text)


def warning(about: str, text: str, what_to_do: str = "") -> Finding:
    """A finding with which the job still runs."""
    return Finding(Level.WARNING, about, text, what_to_do)


def error(about: str, text: str, what_to_do: str = "") -> Finding:
    """A finding with which the job cannot run, or would fail."""
    return Finding(Level.ERROR, about, text, what_to_do)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that prevent the job from running."""
    return [one for one in findings if one.level is Level.ERROR]
