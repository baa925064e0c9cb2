"""Rates per second between two status documents of a job."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.observe.status import StatusDocument


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates per second; None: unknown, as there is no earlier document of the same attempt.

    Args:
        seconds: Between the two documents.
        rows_in: Rows that the sources read.
        rows_out: Rows that the sinks wrote.
        bytes_in: Payload bytes that the sources read.
        bytes_out: Payload bytes that the sinks wrote.
    """

    seconds: float = 0.0
    rows_in: float | None = None
    rows_out: float | None = None
    bytes_in: float | None = None
    bytes_out: float | None = None


def rates(now: StatusDocument, before: StatusDocument | None) -> Rates:
    """Rates between two documents; None if counters went back (a restart).

    >>> from raystream.observe.flow import StepStatus
    >>> def at(uptime: float, rows: int) -> StatusDocument:
    ...     read = StepStatus("read", "read", 1, rows_out=rows, counters={"is_source": 1})
    ...     return StatusDocument("sale", "running", uptime_s=uptime, steps=(read,))
    >>> rates(at(12.0, 5000), at(10.0, 1000)).rows_in, rates(at(12.0, 5000), None).rows_in
    (2000.0, None)
    """
    if before is None or now.uptime_s <= before.uptime_s or now.run != before.run:
        return Rates()
    seconds = now.uptime_s - before.uptime_s
    return Rates(
        seconds,
        _per_second(now.rows_read - before.rows_read, seconds),
        _per_second(now.rows_written - before.rows_written, seconds),
        _per_second(now.bytes_read - before.bytes_read, seconds),
        _per_second(now.bytes_written - before.bytes_written, seconds),
    )


def step_rate(
    now: StatusDocument, before: StatusDocument | None, step: str, counter: str
) -> float | None:
    """Rows or bytes per second of one step."""
    seconds = rates(now, before).seconds
    if before is None or seconds <= 0:
        return None
    return _per_second(_value(now, step, counter) - _value(before, step, counter), seconds)


def _value(status: StatusDocument, step: str, counter: str) -> int:
    return sum(int(getattr(each, counter)) for each in status.steps if each.name == step)


def _per_second(n: int, seconds: float) -> float | None:
    return round(n / seconds, 3) if n >= 0 else None
