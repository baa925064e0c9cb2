"""Implausible event time: what it probably is, and which option helps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from raystream.time.limits import EARLIEST_MS, LATEST_MS, PLAUSIBLE_MS

if TYPE_CHECKING:
    from raystream.api.samples.sample_read import Look
    from raystream.operators.event_time import TimedStep

_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def suspicion(step: TimedStep, look: Look, wall_ms: float) -> tuple[str, str] | None:
    """What is implausible about the event time of the sampled records, and what helps.

    Args:
        step: The options of event time.
        look: The sampled records.
        wall_ms: Current time.

    >>> from raystream.api.samples.sample_read import Look
    >>> from raystream.operators.read.step import Read
    >>> seconds = Look(2, 0, "", 1_700_000_000, 1_700_000_600, (1_700_000_000, 1_700_000_600))
    >>> suspicion(Read(None, "ts"), seconds, 1.7e12)[1]
    "these look like seconds: write event_time_unit='s'"
    """
    earliest, latest = look.earliest_ms, look.latest_ms
    if earliest is None or latest is None:
        return None
    name, ahead = repr(str(step.event_time)), step.watermark.max_future_ms
    limit = PLAUSIBLE_MS[1] if ahead is None else wall_ms + ahead
    if latest < PLAUSIBLE_MS[0] or earliest > limit:
        where = "before 1990" if latest < PLAUSIBLE_MS[0] else "in the future"
        spans = f"from {moment(earliest)} to {moment(latest)}"
        finding = f"event time {name} of all records looked at is {where}, {spans}"
        return finding, _advice(step, look)
    if latest > limit:
        finding = f"event time {name} is {moment(latest)} in one record: in the future"
        return finding, "see max_future of rs.Watermark"
    if earliest < PLAUSIBLE_MS[0]:
        finding = f"event time {name} is {moment(earliest)} in one record: before 1990"
        return finding, "is it written in another unit there?"
    return None


def _advice(step: TimedStep, look: Look) -> str:
    from raystream.formats.moments import likely_unit

    units = {likely_unit(value, step.event_time_unit) for value in look.numbers or ()}
    if len(units) == 1 and (unit := units.pop()) is not None:
        return f"these look like {_WORDS[unit]}: write event_time_unit={unit!r}"
    return "see event_time_unit, and max_future of rs.Watermark"


def moment(ms: int) -> str:
    """A time for people.

    >>> moment(0)
    '1970-01-01 00:00:00 UTC'
    """
    if not EARLIEST_MS <= ms <= LATEST_MS:
        return "behind the year 9999" if ms > 0 else "before the year 1"
    text = datetime.fromtimestamp(ms / 1000, UTC).isoformat(" ", "seconds")
    return text.replace("+00:00", " UTC")
