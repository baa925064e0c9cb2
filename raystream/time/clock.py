"""The clock as something injected; only a shell reads the real one."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two readings of time."""

    def now(self) -> float:
        """Monotonic seconds: for intervals, timeouts, ages."""
        ...

    def wall_ms(self) -> int:
        """Epoch milliseconds: only for `max_future` and for what people read."""
        ...


class VirtualClock:
    """A clock that moves when it is told to.

    >>> clock = VirtualClock(wall_ms=1000); clock.advance(2.5); clock.now(), clock.wall_ms()
    (2.5, 3500)
    """

    def __init__(self, now: float = 0.0, wall_ms: int = 0) -> None:
        self._now = now
        self._start = now
        self._wall_ms = wall_ms

    def now(self) -> float:
        """Virtual monotonic seconds."""
        return self._now

    def wall_ms(self) -> int:
        """Virtual epoch milliseconds; moves with `advance`."""
        return self._wall_ms + round((self._now - self._start) * 1000)

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        self._now += seconds
