"""Format numbers, times and places for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

KILO = 1000

LAST_INSTANT = 253_402_300_799_000
"""Last millisecond of the year 9999; later times mean the end of a bounded input."""


def count(n: int) -> str:
    """A number for people: 950, 12.3 k, 2.50 M, 1.20 G.

    >>> [count(n) for n in (950, 12_345, 2_500_000, 1_200_000_000)]
    ['950', '12.3 k', '2.50 M', '1.20 G']
    """
    if n < KILO:
        return str(n)
    if n < KILO**2:
        return f"{n / KILO:.1f} k"
    return f"{n / KILO**2:.2f} M" if n < KILO**3 else f"{n / KILO**3:.2f} G"


def size(n: float) -> str:
    """Bytes for people.

    >>> [size(n) for n in (0, 950, 12_345, 2_500_000, 1_200_000_000)]
    ['0 B', '950 B', '12.3 kB', '2.50 MB', '1.20 GB']
    """
    text = count(round(n))
    return f"{text}B" if " " in text else f"{text} B"


def duration(seconds: float) -> str:
    """Seconds for people.

    >>> [duration(s) for s in (0.4, 59, 61, 3700, 90_000)]
    ['0 s', '59 s', '1 min 1 s', '1 h 1 min', '1 d 1 h']
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def short(seconds: float) -> str:
    """A duration that may be small.

    >>> [short(s) for s in (0.0004, 0.25, 3.14159, 75)]
    ['0 ms', '250 ms', '3.1 s', '1 min 15 s']
    """
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def percent(share: float) -> str:
    """A share of 0..1.

    >>> percent(0.973)
    '97 %'
    """
    return f"{share * 100:.0f} %"


def instant(ms: int | None, near_ms: int = 0) -> str:
    """Event time in UTC: only the time if it is today, else with the date.

    Args:
        ms: Epoch ms; None: not known yet.
        near_ms: Now, epoch ms.

    >>> instant(1_700_000_000_000, 1_700_000_100_000), instant(0, 1_700_000_000_000)
    ('22:13:20', '1970-01-01 00:00:00')
    >>> instant(None), instant(2**63 - 1)
    ('-', 'the end')
    """
    if ms is None:
        return "-"
    if ms > LAST_INSTANT:
        return "the end"
    if ms < -LAST_INSTANT // 8:
        return "the beginning"
    then = datetime.fromtimestamp(ms / 1000, UTC)
    same_day = then.date() == datetime.fromtimestamp(near_ms / 1000, UTC).date()
    return then.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")


def split_name(split: str) -> str:
    """A split for people.

    >>> split_name("requests/3"), split_name("a.jsonl")
    ('partition requests/3', 'a.jsonl')
    """
    return f"partition {split}" if split.rpartition("/")[2].isdigit() else split


def listed(names: list[str], most: int = 3) -> str:
    """Some names, and how many more there are.

    >>> listed(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def resumed(came_from: str, positions: Mapping[str, str], most: int = 2) -> str:
    """Where a run started; empty while that is not known.

    Args:
        came_from: `checkpoint 41`, the address of a savepoint, `nothing`.
        positions: Split -> position there.
        most: Maximum number of positions shown.

    >>> resumed("checkpoint 41", {"in/0": "120", "in/1": "80", "in/2": "7"})
    'resumed from checkpoint 41, positions in/0 120, in/1 80 and 1 more'
    >>> resumed("nothing", {}), resumed("", {})
    ('started without a checkpoint', '')
    """
    if came_from == "nothing":
        return "started without a checkpoint"
    where = listed([f"{split} {position}" for split, position in positions.items()], most)
    told = f", positions {where}" if where else ""
    return f"resumed from {came_from}{told}" if came_from else ""


def age(seconds: float) -> str:
    """Age of event time; empty if the time is not realistic, as in tests.

    >>> age(75), age(1.7e9)
    ('1 min 15 s', '')
    """
    return duration(seconds) if seconds < 366 * 86_400 else ""
