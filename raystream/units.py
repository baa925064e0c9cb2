"""Durations and sizes as people write them, turned into numbers."""

from __future__ import annotations

import re
from datetime import timedelta

from raystream.errors import ConfigurationError

Duration = str | timedelta
Size = str | int

LONGEST_S = 9_999 * 365.2425 * 86_400
"""The longest duration, seconds: the years that event time can be in."""

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_SIZE = re.compile(r"\s*(\d+)\s*(B|KiB|MiB|GiB)?\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def seconds(value: Duration, what: str = "duration") -> float:
    """Turn `"10s"`, `"1.5m"`, `"250ms"` or a timedelta into seconds.

    Args:
        value: The duration.
        what: Name of the option, for the message.

    Raises:
        ConfigurationError: `value` is not a duration.

    >>> seconds("250ms"), seconds("1m"), seconds(timedelta(hours=1))
    (0.25, 60.0, 3600.0)
    """
    if isinstance(value, timedelta):
        return _possible(value.total_seconds(), value, what)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        text = f"{what}: {value!r} is not a duration"
        raise ConfigurationError(text, what_to_do="for example 10s, 5m, 250ms")
    return _possible(float(match[1]) * _SECONDS[match[2]], value, what)


def _possible(found: float, value: Duration, what: str) -> float:
    if abs(found) > LONGEST_S:
        shown = str(value) if len(str(value)) <= 40 else f"{str(value)[:37]}..."  # noqa: PLR2004
        text = f"{what}: {shown} is longer than the 9999 years that event time has"
        raise ConfigurationError(text, what_to_do="write a shorter duration")
    return found


def milliseconds(value: Duration, what: str = "duration") -> int:
    """As `seconds`, in whole milliseconds.

    >>> milliseconds("1m")
    60000
    """
    return round(seconds(value, what) * 1000)


def state_size(value: Size, what: str = "state_memory") -> int:
    """Memory for state in bytes: a size of 0 or more.

    Raises:
        ConfigurationError: `value` is not a size, or negative.

    >>> state_size("1GiB")
    1073741824
    """
    found = size_bytes(value, what)
    if found < 0:
        text = f"{what}: {value!r} is not a size"
        raise ConfigurationError(text, what_to_do="for example 64MiB, 1GiB")
    return found


def size_bytes(value: Size, what: str = "size") -> int:
    """Turn `"64MiB"` or a plain number of bytes into bytes.

    Raises:
        ConfigurationError: `value` is not a size.

    >>> size_bytes("64MiB"), size_bytes(10)
    (67108864, 10)
    """
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        text = f"{what}: {value!r} is not a size"
        raise ConfigurationError(text, what_to_do="for example 64MiB, 512KiB")
    return int(match[1]) * _BYTES[match[2] or ""]
