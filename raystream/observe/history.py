"""The last 15 minutes of a job as points, made from the status documents that somebody saw."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from raystream.observe.rates import rates
from raystream.observe.status import StatusDocument

STEP_MS = 5_000
SPAN_MS = 15 * 60_000
END_OF_TIME_MS = 2**62
"""Beyond it a watermark means that everything has been read."""


@dataclass(frozen=True, slots=True)
class Point:
    """A job at one moment. None: not known.

    Args:
        at_ms: Epoch ms.
        rows_in: Rows per second that the sources read since the point before.
        rows_out: Rows per second that the sinks wrote.
        lag_rows: Rows not read yet, all splits.
        lag_s: The greatest age of a split's newest read row.
        watermark_lag_s: How far the watermark is behind the clock.
        restarts: Failed attempts so far.
        latency_s: The greatest latency of a sink that 99 % of its rows do not exceed.
    """

    at_ms: int
    rows_in: float | None = None
    rows_out: float | None = None
    lag_rows: int | None = None
    lag_s: float | None = None
    watermark_lag_s: float | None = None
    restarts: int = 0
    latency_s: float | None = None


class History:
    """Points that are five seconds apart; older ones than 15 minutes are forgotten.

    >>> history = History()
    >>> history.add(StatusDocument("sale", "running", at_ms=10_000, restart_count=1))
    >>> [point.restarts for point in history.points]
    [1]

    Args:
        points: What is known already, oldest first.
    """

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._points: deque[Point] = deque(points)
        self._last: StatusDocument | None = None

    @property
    def points(self) -> tuple[Point, ...]:
        """Oldest first."""
        return tuple(self._points)

    def add(self, status: StatusDocument) -> None:
        """Take a document, if the last one that was taken is old enough."""
        if self._last is not None and status.at_ms < self._last.at_ms + STEP_MS:
            return
        self._points.append(_point(status, self._last))
        self._last = status
        while self._points[0].at_ms < status.at_ms - SPAN_MS:
            self._points.popleft()


def _point(now: StatusDocument, before: StatusDocument | None) -> Point:
    rate = rates(now, before)
    seconds = [split.lag_seconds for split in now.splits if split.lag_seconds is not None]
    return Point(
        now.at_ms,
        rate.rows_in,
        rate.rows_out,
        now.lag_rows,
        max(seconds, default=None),
        _behind(now),
        now.restart_count,
        max((each.p99_s for each in now.latencies if each.p99_s is not None), default=None),
    )


def _behind(status: StatusDocument) -> float | None:
    """None also for a watermark at the end of time."""
    if status.watermark_ms is None or abs(status.watermark_ms) > END_OF_TIME_MS // 8:
        return None
    return max(0.0, (status.at_ms - status.watermark_ms) / 1000)
