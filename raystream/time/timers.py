"""TimerQueue: what is due at which time, for event time or for a clock."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class TimerQueue(Generic[Name]):
    """Timers by name; setting a name again replaces its time.

    >>> timers = TimerQueue[str]()
    >>> timers.set("b", 2.0); timers.set("a", 1.0); timers.set("b", 3.0)
    >>> timers.next_time()
    1.0
    >>> timers.due(2.5)
    ['a']
    """

    def __init__(self) -> None:
        self._times: dict[Name, float] = {}
        self._heap: list[tuple[float, int, Name]] = []
        self._order = 0

    def __len__(self) -> int:
        """Timers that are set."""
        return len(self._times)

    def set(self, name: Name, time: float) -> None:
        """Be due at `time`."""
        self._times[name] = time
        self._order += 1
        heapq.heappush(self._heap, (time, self._order, name))

    def cancel(self, name: Name) -> None:
        """Be never due; nothing happens if it is not set."""
        self._times.pop(name, None)

    def next_time(self) -> float | None:
        """Time of the earliest timer; None if there is none."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Name]:
        """Names whose time is <= `now`, earliest first, then in the order they were set."""
        names = []
        while (earliest := self.next_time()) is not None and earliest <= now:
            name = heapq.heappop(self._heap)[2]
            del self._times[name]
            names.append(name)
        return names

    def _drop_stale(self) -> None:
        while self._heap and self._times.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
