"""Windows in words."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.graph.windows import (
    CountWindow,
    Cumulative,
    GlobalWindow,
    Hopping,
    Session,
    Trigger,
    Window,
)
from raystream.operators.words import duration


def window_words(
    window: Window | Session | CountWindow | GlobalWindow, keys: Sequence[str] = ()
) -> str:
    """For people, with the key.

    >>> window_words(Hopping(60_000, 1000, offset_ms=5), ["ip", "day"])
    'hopping 1m every 1s from 5 ms by ip, day'
    """
    return _kind_words(window) + (f" by {', '.join(keys)}" if keys else "")


def _kind_words(window: Window | Session | CountWindow | GlobalWindow) -> str:
    if isinstance(window, Session):
        return f"session {_gap(window)}"
    if isinstance(window, CountWindow):
        each = "" if window.slide is None else f" of the last {window.size}"
        return f"every {window.slide or window.size} rows{each}"
    if isinstance(window, GlobalWindow):
        return f"all rows, every {_trigger(window.trigger)}"
    at = f" from {window.offset_ms} ms" if window.offset_ms else ""
    at += f" by the clocks of {window.time_zone}" if window.time_zone else ""
    match window:
        case Hopping(size_ms=size, slide_ms=slide):
            return f"hopping {duration(size)} every {duration(slide)}{at}"
        case Cumulative(max_size_ms=size, step_ms=step):
            return f"cumulative {duration(size)} by {duration(step)}{at}"
        case _:
            return f"tumbling {duration(window.size_ms)}{at}"


def label_of(window: Window | Session | CountWindow | GlobalWindow) -> str:
    """For automatic names.

    >>> label_of(Cumulative(86_400_000, 3_600_000))
    'cumulative-1d-1h'
    """
    if isinstance(window, Session):
        return f"session-{_gap(window)}"
    if isinstance(window, CountWindow):
        return f"count-{window.size}" + ("" if window.slide is None else f"-{window.slide}")
    if isinstance(window, GlobalWindow):
        return f"global-{_trigger(window.trigger).replace(' ', '-')}"
    match window:
        case Hopping(size_ms=size, slide_ms=slide):
            return f"hopping-{duration(size)}-{duration(slide)}"
        case Cumulative(max_size_ms=size, step_ms=step):
            return f"cumulative-{duration(size)}-{duration(step)}"
        case _:
            return f"tumbling-{duration(window.size_ms)}"


def _trigger(trigger: Trigger) -> str:
    if trigger.every_ms is not None:
        return duration(trigger.every_ms)
    return f"{trigger.count} rows"


def _gap(window: Session) -> str:
    return window.column or duration(window.gap_ms or 0)
