"""The context of the user's class: key, times, timers, side outputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from numbers import Integral
from typing import Any

from raystream.graph.nearest import did_you_mean
from raystream.graph.process import Context
from raystream.operators.process.scope import Scope
from raystream.time.limits import EARLIEST_MS, LATEST_MS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)

BROADCAST_EMITS = (
    "a broadcast row emits nothing, since each subtask would: keep it in broadcast state, and emit "
    "in on_left or on_timer"
)
BROADCAST_HAS_NO_KEY = (
    "a broadcast row belongs to no key: it has no ctx.key, no timers and only broadcast state"
)


class ProcessContext(Context):
    """See graph.process.Context.

    Args:
        scope: The row or timer.
        tags: Of the declared side outputs.
    """

    def __init__(self, scope: Scope, tags: Collection[str]) -> None:
        self._scope, self._tags = scope, tags
        self.keys: list[Any] = []

    @property
    def key(self) -> Any:
        """See Context."""
        return self.keys[self._own_key()]

    @property
    def time(self) -> int:  # type: ignore[override]
        """See Context."""
        return self._scope.time

    @property
    def watermark(self) -> int | None:  # type: ignore[override]
        """See Context."""
        return self._scope.watermark

    @property
    def now(self) -> int:  # type: ignore[override]
        """See Context."""
        return self._scope.wall

    @property
    def late(self) -> bool:  # type: ignore[override]
        """See Context."""
        known = self._scope.watermark
        return known is not None and self._scope.time <= known

    @property
    def ended(self) -> bool:  # type: ignore[override]
        """See Context."""
        return self._scope.ended

    def timer(self, at: int | datetime) -> None:
        """See Context."""
        scope = self._scope
        scope.timers.append((self._own_key(), _behind(scope.fires, milliseconds_of(at)), True))

    def delete_timer(self, at: int | datetime) -> None:
        """See Context."""
        self._scope.timers.append((self._own_key(), milliseconds_of(at), False))

    def clock_timer(self, at: int | datetime) -> None:
        """See Context."""
        scope, time = self._scope, milliseconds_of(at)
        scope.clock_timers.append((self._own_key(), _behind(scope.clock_fires, time), True))

    def delete_clock_timer(self, at: int | datetime) -> None:
        """See Context."""
        self._scope.clock_timers.append((self._own_key(), milliseconds_of(at), False))

    def emit(self, tag: str, row: Mapping[str, Any]) -> None:
        """See Context."""
        if tag not in self._tags:
            known = did_you_mean(tag, self._tags) if self._tags else "declare it: side_outputs="
            what = f"there is no side output {tag!r}; {known}"
            raise ValueError(what)
        if self._scope.broadcast:
            raise RuntimeError(BROADCAST_EMITS)
        self._scope.emit(tag, row)

    def _own_key(self) -> int:
        """Number of the key of the row."""
        if self._scope.broadcast:
            raise RuntimeError(BROADCAST_HAS_NO_KEY)
        return self._scope.key


def _behind(fires: int | None, time: int) -> int:
    """A timer that sets one for its own time would fire for ever."""
    if fires is not None and time <= fires:
        what = f"a timer that fires at {fires} sets one for {time}: set a later one"
        raise ValueError(what)
    return time


def milliseconds_of(at: int | datetime) -> int:
    """A time as epoch milliseconds; a datetime without zone is in UTC, rounded up.

    Raises:
        TypeError: it is neither a whole number nor a datetime.
        ValueError: it is not in the years 1 to 9999.

    >>> milliseconds_of(datetime(1970, 1, 1, 0, 0, 1)), milliseconds_of(5)
    (1000, 5)
    """
    if isinstance(at, datetime):
        zoned = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        at = -((_EPOCH - zoned) // _MS)
    if isinstance(at, bool) or not isinstance(at, Integral):
        what = f"the time of a timer is epoch milliseconds (int) or a datetime, not {at!r}"
        raise TypeError(what)
    if not EARLIEST_MS <= at <= LATEST_MS:
        what = f"the time of a timer is not in the years 1 to 9999: {at}"
        raise ValueError(what)
    return int(at)
