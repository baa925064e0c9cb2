"""Samples of the rows that a step drops: few, taken rarely, cut short, never logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from raystream.context import LeftOut, Sample
from raystream.ids import StepName
from raystream.time.clock import Clock

KEPT = 3
"""Samples kept per step and kind: the newest."""

EVERY_S = 1.0
"""Seconds between samples of one step and kind: a job that drops all rows must not be slower."""

LONGEST = 200
"""Characters kept of a row."""


class Samples:
    """Rows that the steps of one subtask dropped recently.

    The processing thread adds, others may call `told` at any time.

    Args:
        clock: Clock.

    >>> from raystream.time.clock import VirtualClock
    >>> samples = Samples(VirtualClock())
    >>> sample = samples.of("count")
    >>> sample("late_rows", lambda: [LeftOut('{"ip": "a"}')])
    >>> sample("late_rows", lambda: [LeftOut("not looked at: less than a second later")])
    >>> [each["row"] for each in samples.told()]
    ['{"ip": "a"}']
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[tuple[StepName, str], float] = {}
        self._kept: dict[tuple[StepName, str], tuple[dict[str, Any], ...]] = {}

    def of(self, step: StepName) -> Sample:
        """The `sample` of a step for its context."""

        def sample(kind: str, rows: Callable[[], Iterable[LeftOut]]) -> None:
            now = self._clock.now()
            if now >= self._due.get((step, kind), now):
                self._due[step, kind] = now + EVERY_S
                self._keep(step, kind, rows())

        return sample

    def told(self) -> list[dict[str, Any]]:
        """All samples (JSON types), newest last per step and kind."""
        return [each for kept in list(self._kept.values()) for each in kept]

    def _keep(self, step: StepName, kind: str, rows: Iterable[LeftOut]) -> None:
        at = self._clock.wall_ms()
        fresh = tuple(
            {
                "step": step,
                "kind": kind,
                "at_ms": at,
                "row": shortened(row.row),
                "reason": shortened(row.reason),
                "origin": shortened(row.origin),
            }
            for row, _ in zip(rows, range(KEPT), strict=False)
        )
        self._kept[step, kind] = (*self._kept.get((step, kind), ()), *fresh)[-KEPT:]


def shortened(text: str, most: int = LONGEST) -> str:
    """Shorten to at most this many characters.

    >>> len(shortened("x" * 5000))
    200
    """
    return text if len(text) <= most else text[: most - 1] + "…"
