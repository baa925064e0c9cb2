"""Windows and when they emit, from durations."""

from __future__ import annotations

from datetime import datetime

from raystream.api.arguments import checked
from raystream.api.origin import at_call, wrong
from raystream.graph.policies import Early
from raystream.graph.windows import Cumulative, Hopping, Tumbling
from raystream.units import Duration, milliseconds

Offset = Duration | int | datetime
"""Where windows start: a duration or ms from the epoch, or a moment (a datetime with a zone)."""


@checked
def tumbling(size: Duration, *, offset: Offset = 0) -> Tumbling:
    """Windows that touch: each row is in one.

    Args:
        size: Length.
        offset: A window starts here, and every `size` before and after.

    >>> tumbling("1m")
    Tumbling(size_ms=60000, offset_ms=0)
    """
    size_ms = _length(size, "size")
    return Tumbling(size_ms, _offset(offset) % size_ms)


@checked
def hopping(size: Duration, slide: Duration, *, offset: Offset = 0) -> Hopping:
    """Windows of `size` that start every `slide`: each row is in size / slide of them.

    Args:
        size: Length; a multiple of `slide`.
        slide: Distance of their starts.
        offset: A window starts here, and every `slide` before and after.

    Raises:
        ConfigurationError: `size` is not a multiple of `slide`.

    >>> hopping("10m", "1m").slide_ms
    60000
    """
    size_ms, slide_ms = _length(size, "size"), _length(slide, "slide")
    _multiple("hopping", "size", size_ms, "slide", slide_ms)
    return Hopping(size_ms, slide_ms, _offset(offset) % slide_ms)


@checked
def cumulative(max_size: Duration, step: Duration, *, offset: Offset = 0) -> Cumulative:
    """Windows with a common start that grow by `step` up to `max_size` (SQL's CUMULATE).

    Args:
        max_size: Length of the longest; a multiple of `step`.
        step: By how much each is longer than the one before.
        offset: The common start is here, and every `max_size` before and after.

    >>> cumulative("1d", "1h").step_ms
    3600000
    """
    size_ms, step_ms = _length(max_size, "max_size"), _length(step, "step")
    _multiple("cumulative", "max_size", size_ms, "step", step_ms)
    return Cumulative(size_ms, step_ms, _offset(offset) % size_ms)


@checked
def early(every: Duration) -> Early:
    """Also emit open windows, with `final` = false, every so often by the wall clock.

    >>> early("1s")
    Early(every_ms=1000)
    """
    return Early(_length(every, "every"))


def _length(value: Duration, what: str) -> int:
    with at_call():
        length = milliseconds(value, what)
    if length <= 0:
        text = f"{what} must be more than 0"
        raise wrong(text)
    return length


def _offset(value: Offset) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            text = "offset: a datetime without a time zone is no moment"
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
