"""The only place that reads real time."""

from __future__ import annotations

import time


class SystemClock:
    """Clock of the machine: monotonic seconds, epoch milliseconds.

    >>> SystemClock().now() <= SystemClock().now()
    True
    """

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000
