"""Functions of the user that have not returned for some time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raystream.observe.words import duration

STUCK_S = 10.0
"""Seconds without a pause after which a function is reported."""


@dataclass(frozen=True, slots=True)
class StuckFunction:
    """A function of the user that does not return.

    Args:
        subtask: Where it runs: `geo[0]`.
        line: Its own line that runs now: `jobs/geo.py:17`.
        function: Name of the function of that line.
        seconds: Since the subtask last did something else.
    """

    subtask: str
    line: str
    function: str
    seconds: float


def by_time(found: Iterable[StuckFunction]) -> tuple[StuckFunction, ...]:
    """The longest first."""
    return tuple(sorted(found, key=lambda each: (-each.seconds, each.subtask)))


def why_stuck(found: Sequence[StuckFunction]) -> str:
    """The function that has run for longest, and how many more; empty if there is none.

    >>> why_stuck([StuckFunction("geo[0]", "jobs/geo.py:17", "lookup", 12.3)])
    'geo[0] has been in lookup at jobs/geo.py:17 for 12 s: the function does not return'
    """
    if not found:
        return ""
    worst, *others = found
    more = f" (and {len(others)} more subtasks)" if others else ""
    return (
        f"{worst.subtask} has been in {worst.function} at {worst.line} for"
        f" {duration(worst.seconds)}: the function does not return{more}"
    )
