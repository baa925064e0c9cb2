"""Windows and their emission, from durations."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from raystream.api.arguments import checked, chosen
from raystream.api.origin import at_call, wrong
from raystream.api.time_zones import known_zone
from raystream.graph.policies import Early, Emit, OnClose, OnUpdate
from raystream.graph.windows import (
    CountWindow,
    Cumulative,
    GlobalWindow,
    Hopping,
    Session,
    Trigger,
    Tumbling,
)
from raystream.units import Duration, milliseconds, seconds

Offset = Duration | int | datetime
"""Where windows start: a duration or ms from the epoch, or a moment (a datetime with a zone)."""

MOST_WINDOWS = 100_000
"""Maximum number of windows that a row may be in: each is a row of the result."""

_DAY_MS = 86_400_000
_DURATION = re.compile(r"\s*[+-]?\s*[\d.]+\s*[a-zA-Z]*\s*")


@checked
def tumbling(size: Duration, *, offset: Offset = 0, time_zone: str | None = None) -> Tumbling:
    """Adjacent windows that do not overlap: each row is in one.

    Args:
        size: Length.
        offset: A window starts here, and every `size` before and after.
        time_zone: IANA name, `Europe/Berlin`: days, and hours within them, follow its clocks (a day
            has 23, 24 or 25 hours). `size` is then whole days, or divides a day; `offset` is a
            duration by the clocks. Default: UTC.

    Raises:
        ConfigurationError: windows cannot have this length.

    >>> tumbling("1m")
    Tumbling(size_ms=60000, offset_ms=0)
    >>> tumbling("7d", offset="4d", time_zone="Europe/Berlin").offset_ms // 86_400_000  # Mondays
    4
    """
    size_ms = _length(size, "size")
    return Tumbling(size_ms, _start(offset, size_ms, time_zone, "size"), time_zone)


@checked
def hopping(
    size: Duration, slide: Duration, *, offset: Offset = 0, time_zone: str | None = None
) -> Hopping:
    """Windows of `size` that start every `slide`: each row is in size / slide of them.

    Args:
        size: Length; a multiple of `slide`.
        slide: Distance between their starts.
        offset: A window starts here, and every `slide` before and after.
        time_zone: As for `tumbling`; `slide` is then whole days.

    Raises:
        ConfigurationError: `size` is not a multiple of `slide`, or a row would be in more than
            100,000 windows.

    >>> hopping("10m", "1m").slide_ms
    60000
    """
    size_ms, slide_ms = _length(size, "size"), _length(slide, "slide")
    _multiple("hopping", "size", size_ms, "slide", slide_ms)
    if time_zone is not None and slide_ms % _DAY_MS:
        text = "hopping: with a time_zone windows hop by whole days"
        raise wrong(text, "for example slide 1d, or leave out time_zone")
    return Hopping(size_ms, slide_ms, _start(offset, slide_ms, time_zone, "slide"), time_zone)


@checked
def cumulative(
    max_size: Duration, step: Duration, *, offset: Offset = 0, time_zone: str | None = None
) -> Cumulative:
    """Windows with a common start that grow by `step` up to `max_size` (SQL's CUMULATE).

    Args:
        max_size: Length of the longest; a multiple of `step`.
        step: By how much each is longer than the one before.
        offset: The common start is here, and every `max_size` before and after.
        time_zone: As for `tumbling`; `max_size` is then whole days.

    Raises:
        ConfigurationError: `max_size` is not a multiple of `step`, or a row would be in more than
            100,000 windows.

    >>> cumulative("1d", "1h").step_ms
    3600000
    """
    size_ms, step_ms = _length(max_size, "max_size"), _length(step, "step")
    _multiple("cumulative", "max_size", size_ms, "step", step_ms)
    if time_zone is not None and size_ms % _DAY_MS:
        text = "cumulative: with a time_zone the longest window is of whole days"
        raise wrong(text, "for example max_size 1d, or leave out time_zone")
    _zoned_length(step_ms, time_zone, "step")
    return Cumulative(size_ms, step_ms, _start(offset, size_ms, time_zone, "max_size"), time_zone)


@checked
def session(gap: Duration) -> Session:
    """Sessions of each key: rows of which each comes at most `gap` after the one before.

    Rows exactly one gap apart belong together. `window_start` is the event time of the first row,
    `window_end` that of the last one plus the gap.

    Args:
        gap: A duration; or the name of a column with the gap after that row: whole milliseconds,
            or a duration, more than 0.

    Raises:
        ConfigurationError: the gap is 0.

    >>> session("10m")
    Session(gap_ms=600000)
    >>> times = [0, 10_000, 25_000]
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"ts": t} for t in times]), event_time="ts")
    >>> rows.window(rs.session("10s")).agg(n=rs.count()).collect().rows()
    [(0, 20000, 2), (25000, 35000, 1)]
    """
    if isinstance(gap, str) and not _DURATION.fullmatch(gap):
        if not gap:
            text = "session: the gap is empty"
            raise wrong(text, 'write rs.session("10m"), or the name of a column')
        return Session(column=gap)
    return Session(_length(gap, "gap"))


@checked
def count_window(
    size: int, *, slide: int | None = None, ttl: Duration | None = None
) -> CountWindow:
    """Windows of `size` rows of a key, in the order in which they come.

    `window_start` is the least event time of its rows, `window_end` the greatest one + 1 ms. The
    end of a bounded input emits the rows of windows that are not full.

    Args:
        size: Number of rows.
        slide: A window ends every `slide` rows, with the last `size`; the first ones have fewer.
            Default: windows do not overlap.
        ttl: A key without a row for so long in event time is forgotten, with the rows that its
            window has. Default: never; state grows with the number of keys.

    Raises:
        ConfigurationError: less than one row, or `size` is not a multiple of `slide`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": n} for n in (1, 2, 3, 4, 5)]))
    >>> sums = rows.window(rs.count_window(2)).agg(n=rs.count(), sum=rs.sum("n"))
    >>> sums.select("n", "sum").collect().rows()
    [(2, 3), (2, 7), (1, 5)]
    """
    if size < 1 or (slide is not None and slide < 1):
        text = f"count_window takes 1 row or more, not {min(size, slide or size)}"
        raise wrong(text)
    if slide is not None and size % slide:
        text = f"count_window: size ({size}) is not a multiple of slide ({slide})"
        raise wrong(text)
    return CountWindow(size, slide, _kept(ttl))


@checked
def trigger(
    *, count: int | None = None, every: Duration | None = None, purge: bool = False
) -> Trigger:
    """When a global window is emitted.

    Args:
        count: Each time a key got so many rows.
        every: Or at this interval by the clock, of the keys that got rows.
        purge: The window starts anew each time.

    Raises:
        ConfigurationError: neither of `count` and `every`, or both.

    >>> trigger(count=100), trigger(every="10s", purge=True)
    (Trigger(count=100, purge=False), Trigger(every_ms=10000, purge=True))
    """
    if (count is None) == (every is None):
        text = "trigger takes count= or every="
        raise wrong(text, 'write rs.trigger(count=100) or rs.trigger(every="10s")')
    if count is not None and count < 1:
        text = f"trigger takes 1 row or more, not {count}"
        raise wrong(text)
    return Trigger(count, None if every is None else _length(every, "every"), purge)


@checked
def global_window(trigger: Trigger, *, ttl: Duration | None = None) -> GlobalWindow:
    """All rows of a key, emitted when a trigger says so and at the end of a bounded input.

    Args:
        trigger: `rs.trigger(count=100)` or `rs.trigger(every="10s")`.
        ttl: A key without a row for so long in event time is forgotten. Default: never.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": n} for n in (1, 2, 3, 4, 5)]))
    >>> sums = rows.window(rs.global_window(rs.trigger(count=2))).agg(sum=rs.sum("n"))
    >>> sums.select("sum").collect().rows()
    [(3,), (10,), (15,)]
    """
    return GlobalWindow(trigger, _kept(ttl))


@checked
def early(every: Duration) -> Early:
    """Also emit open windows, with `final` = false, at this interval by the wall clock.

    Sessions grow and merge: their rows change earlier ones instead, at most this often, and have no
    column `final` (docs/changes.md).

    >>> early("1s")
    Early(every_ms=1000)
    """
    return Early(_length(every, "every"))


def emission(value: str | Emit) -> Emit:
    """Parse `emit=`.

    Raises:
        ConfigurationError: neither rs.early(..) nor `on_close` nor `on_update`.
    """
    if isinstance(value, OnClose | Early | OnUpdate):
        return value
    return (
        OnUpdate() if chosen(value, "emit", ["on_close", "on_update"]) == "on_update" else OnClose()
    )


def _length(value: Duration, what: str) -> int:
    with at_call():
        length = milliseconds(value, what)
        exact = seconds(value, what) * 1000
    if exact <= 0:
        text = f"{what} must be more than 0"
        raise wrong(text)
    if abs(exact - length) > 1e-6 * max(1.0, exact * 1e-6):
        text = f"{what}: {_shown(value)} is not a whole number of milliseconds"
        raise wrong(text, "for example 1s, 5m, 250ms")
    return length


def _kept(ttl: Duration | None) -> int | None:
    return None if ttl is None else _length(ttl, "ttl")


def _shown(value: Duration) -> str:
    return f"{value.total_seconds()}s" if isinstance(value, timedelta) else value.strip()


def _start(offset: Offset, period_ms: int, time_zone: str | None, what: str) -> int:
    """Where windows begin, within one period."""
    if time_zone is not None:
        known_zone(time_zone)
        _zoned_length(period_ms, time_zone, what)
        if isinstance(offset, datetime):
            text = "offset: with a time_zone it is a duration by the clocks, not a moment"
            raise wrong(text, "for example 6h")
    return _offset(offset) % period_ms


def _zoned_length(length_ms: int, time_zone: str | None, what: str) -> None:
    if time_zone is not None and length_ms % _DAY_MS and _DAY_MS % length_ms:
        text = f"{what}: with a time_zone it is whole days or divides a day"
        raise wrong(text, "for example 7d, 1d, 6h, 15m")


def _offset(value: Offset) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            text = "offset: a datetime without a time zone is not a moment"
            raise wrong(text, "write datetime(.., tzinfo=UTC)")
        return round(value.timestamp() * 1000)
    if isinstance(value, int):
        return value
    with at_call():
        return milliseconds(value, "offset")


def _multiple(window: str, long: str, long_ms: int, short: str, short_ms: int) -> None:
    if long_ms % short_ms:
        text = f"{window}: {long} ({long_ms} ms) is not a multiple of {short} ({short_ms} ms)"
        raise wrong(text)
    if long_ms // short_ms > MOST_WINDOWS:
        text = f"{window}: each row would be in {long_ms // short_ms:,} windows"
        raise wrong(text, f"write a longer {short}, or a shorter {long}")
