"""Windows of pipeline files, and what they leave out."""

from __future__ import annotations

from typing import Any

from raystream.config.check import Value
from raystream.config.offsets import read_offset
from raystream.errors import ConfigurationError
from raystream.graph.windows import CountWindow, GlobalWindow, Session, Window


def window_of(value: Value) -> Window | Session | CountWindow | GlobalWindow:
    """The window that a map says.

    Raises:
        ConfigurationError: there is no such window.
    """
    from raystream.api.windows import cumulative, hopping, session, tumbling

    for name in ("count", "global"):
        if value.get(name) is not None:
            refuse(value, ("offset", "time_zone"), "is for windows of event time")
            return _unbounded(value[name])
    gap = value.get("session")
    if gap is not None:
        refuse(value, ("offset", "time_zone"), "is not for sessions, which begin with a row")
        return session((gap if gap.get("gap") is None else gap["gap"]).data)
    offset, zone = value.get("offset"), value.get("time_zone")
    place: Any = {"offset": read_offset(offset.data) if offset is not None else 0}
    place |= {} if zone is None else {"time_zone": zone.plain()}
    size, hop = value.get("tumbling"), value.get("hopping")
    if size is not None:
        return tumbling(size.data, **place)
    if hop is not None:
        return hopping(**hop.plain(), **place)
    return cumulative(**value["cumulative"].plain(), **place)


def _unbounded(value: Value) -> CountWindow | GlobalWindow:
    """A count, or the options of a window that event time does not bound."""
    from raystream.api.windows import count_window, global_window, trigger

    if not isinstance(value.data, dict):
        return count_window(value.data)
    options = value.plain()
    if "size" in options:
        return count_window(options.pop("size"), **options)
    ttl = options.pop("ttl", None)
    return global_window(trigger(**options), ttl=ttl)


def refuse(step: Value, names: tuple[str, ...], why: str) -> None:
    """Refuse keys that have no meaning beside others.

    Raises:
        ConfigurationError: there is one of them.
    """
    for name in names:
        if step.get(name) is not None:
            text = f"{name} {why}"
            raise ConfigurationError(text, what_to_do="leave it out")
