"""Windows by the clocks of a time zone, found by walking along the minutes: slow and plain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window

_DAY = 86_400_000
_MINUTE = 60_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_windows_of(window: Window, time: int) -> list[tuple[int, int]]:
    """The windows that a time belongs to: (start, end), end exclusive.

    >>> local_windows_of(Tumbling(_DAY, time_zone="Asia/Kathmandu"), 0)
    [(-19800000, 66600000)]
    """
    zone, offset = str(window.time_zone), window.offset_ms
    match window:
        case Tumbling(size_ms=size) if size < _DAY:
            begins = [*_begins(zone, _day(zone, offset, time), size, offset)]
            begins.append(_begin(zone, _day(zone, offset, time) + 1, offset))
            return [w for w in zip(begins, begins[1:], strict=False) if w[0] <= time < w[1]]
        case Tumbling(size_ms=size):
            return _of_days(zone, offset, time, size // _DAY, size // _DAY)
        case Hopping(size_ms=size, slide_ms=slide):
            return _of_days(zone, offset, time, size // _DAY, slide // _DAY)
        case Cumulative(max_size_ms=size, step_ms=step):
            return _growing(zone, offset, time, size // _DAY, step)


def _of_days(zone: str, offset: int, time: int, size: int, slide: int) -> list[tuple[int, int]]:
    last = _day(zone, offset, time) // slide * slide
    firsts = range(last, last - size, -slide)
    return [(_begin(zone, f, offset), _begin(zone, f + size, offset)) for f in firsts]


def _growing(zone: str, offset: int, time: int, days: int, step: int) -> list[tuple[int, int]]:
    first = _day(zone, offset, time) // days * days
    if step >= _DAY:
        ends = [_begin(zone, d, offset) for d in range(first, first + days, step // _DAY)]
    else:
        ends = [b for d in range(first, first + days) for b in _begins(zone, d, step, offset)]
    ends.append(_begin(zone, first + days, offset))
    return [(_begin(zone, first, offset), end) for end in ends if end > time]


def _day(zone: str, offset: int, time: int) -> int:
    day = _shown(zone, time, offset) // _DAY
    while _begin(zone, day + 1, offset) <= time:
        day += 1
    return day


@lru_cache(maxsize=100_000)
def _begin(zone: str, day: int, offset: int) -> int:
    """The first instant at which the clocks show this day, or a later one."""
    minute = day * _DAY + offset - 27 * 60 * _MINUTE
    while _shown(zone, minute, offset) < day * _DAY:
        minute += _MINUTE
    return next(
        t
        for t in range(minute - _MINUTE, minute + 1, 1000)
        if _shown(zone, t, offset) >= day * _DAY
    )


@lru_cache(maxsize=10_000)
def _begins(zone: str, day: int, step: int, offset: int) -> tuple[int, ...]:
    """Where pieces of a day begin: the clocks show a multiple of `step`, or have passed one."""
    first, end = _begin(zone, day, offset), _begin(zone, day + 1, offset)
    found, before = [first], _shown(zone, first, offset)
    tick = min(step, _MINUTE)
    for time in range(first + tick, end, tick):
        shown = _shown(zone, time, offset)
        if shown % step == 0 or shown // step > before // step:
            found.append(time)
        before = shown
    return tuple(found)


def _shown(zone: str, time: int, offset: int) -> int:
    ahead = (_EPOCH + timedelta(milliseconds=time)).astimezone(ZoneInfo(zone)).utcoffset()
    assert ahead is not None
    return time + ahead // timedelta(milliseconds=1) - offset
