"""Where a window starts, as a pipeline file says it."""

from __future__ import annotations

from datetime import datetime


def read_offset(text: str) -> int | str | datetime:
    """Epoch ms, a duration as it is written, or a moment.

    Raises:
        ValueError: there is no such moment.

    >>> read_offset("30s"), read_offset("1700000000000")
    ('30s', 1700000000000)
    >>> read_offset("2024-02-30T00:00:00Z")
    Traceback (most recent call last):
      ..
    ValueError: day is out of range for month
    """
    if text.isdigit():
        return int(text)
    return text if text.rstrip()[-1] in "smhd" and "-" not in text else datetime.fromisoformat(text)
