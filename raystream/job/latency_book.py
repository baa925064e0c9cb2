"""Latency of each sink over all subtasks and attempts of a run, and that of the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from raystream.ids import StepName
from raystream.observe.histogram import Histogram, HistogramStatus, histogram_status

RECENT_S = 60.0
LOOK_S = 5.0

Counts = Mapping[str, int]
Told = Mapping[str, Any]


@dataclass(slots=True)
class LatencyBook:
    """Sums of histograms by name; those of ended attempts stay in them.

    Subtasks of a failed attempt are gone with what they counted after their last report.
    """

    _ended: dict[str, Histogram] = field(default_factory=dict)
    _seen: deque[tuple[float, dict[str, Counts]]] = field(default_factory=deque)

    def end_attempt(self, told: Iterable[Mapping[StepName, Told]]) -> None:
        """Keep what the subtasks of an attempt counted.

        Args:
            told: The last report of each: name -> histogram.
        """
        for each in told:
            for name, one in each.items():
                self._ended.setdefault(name, Histogram()).merge(one)

    def statuses(
        self, told: Iterable[Mapping[StepName, Told]], now: float
    ) -> tuple[HistogramStatus, ...]:
        """Status of each histogram by name; quantiles are those of the last minute.

        Args:
            told: The newest report of each subtask that runs: name -> histogram.
            now: Monotonic seconds.
        """
        parts: dict[str, list[Told]] = {name: [one.told()] for name, one in self._ended.items()}
        for each in told:
            for name, one in each.items():
                parts.setdefault(name, []).append(one)
        all_of_it = {name: histogram_status(name, found) for name, found in sorted(parts.items())}
        before = self._before(now, {name: one.counts for name, one in all_of_it.items()})
        return tuple(
            histogram_status(name, parts[name], _difference(one.counts, before.get(name, {})))
            for name, one in all_of_it.items()
        )

    def _before(self, now: float, counts: dict[str, Counts]) -> Mapping[str, Counts]:
        """Counts of about a minute ago; notes those of now."""
        seen = self._seen
        if not seen or now - seen[-1][0] >= LOOK_S:
            seen.append((now, counts))
        while len(seen) > 1 and seen[1][0] <= now - RECENT_S:
            seen.popleft()
        return seen[0][1] if seen[0][0] <= now - RECENT_S else {}


def _difference(now: Counts, before: Counts) -> Counts:
    return {label: n - before.get(label, 0) for label, n in now.items() if n > before.get(label, 0)}
