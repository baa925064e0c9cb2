"""One line of progress for terminals: state, rows, rate, checkpoints, lag, restarts."""

from __future__ import annotations

from raystream.observe.status import StatusDocument
from raystream.observe.waiting import FOR_DATA, why_waiting
from raystream.observe.words import count, duration

_CAUSE = 60
"""Characters of the reason of a restart: it comes first, before any name or path."""


def live_line(status: StatusDocument, before: StatusDocument | None = None) -> str:
    """The job in one line of at most about 120 characters.

    Args:
        status: Now.
        before: An earlier document of the same job, for the rate; None: no rate.

    >>> from raystream.observe.status import StepStatus
    >>> read = StepStatus("read", "read", 1, rows_out=2_500_000, counters={"is_source": 1})
    >>> live_line(StatusDocument("sale", "running", uptime_s=12, attempt=1, steps=(read,)))
    'sale  running  12 s  read 2.50 M  written 0  checkpoint -'
    """
    parts = [status.job, status.state, duration(status.uptime_s)]
    parts.append(f"read {count(status.rows_read)}{_rate(status, before)}")
    parts.append(f"written {count(status.rows_written)}")
    parts.append(f"checkpoint {status.checkpoint.number or '-'}")
    lag = sum(status.lag.values())
    parts += [f"lag {count(lag)}"] if lag else []
    parts += [f"late {count(status.total('late_rows'))}"] if status.total("late_rows") else []
    parts += [f"dead letters {count(n)}"] if (n := status.total("dlq_rows")) else []
    parts += [f"skipped {count(n)}"] if (n := status.total("skipped_rows")) else []
    parts += [f"unknown fields {count(n)}"] if (n := _unknown(status)) else []
    parts += [_restarts(status)] if status.restart_count else []
    waits = why_waiting(status).partition(": ")[0]
    parts += [waits] if waits.startswith(f"{FOR_DATA} since") else []
    return "  ".join(parts)


def _unknown(status: StatusDocument) -> int:
    return sum(step.unknown_fields for step in status.steps)


def _restarts(status: StatusDocument) -> str:
    """Number of restarts and what was wrong last, cut to fit."""
    cause = status.restarts[-1].short if status.restarts else ""
    return (
        f"restarts {status.restart_count} ({cause[:_CAUSE]})"
        if cause
        else (f"restarts {status.restart_count}")
    )


def _rate(status: StatusDocument, before: StatusDocument | None) -> str:
    if before is None or status.uptime_s <= before.uptime_s:
        return ""
    rows = status.rows_read - before.rows_read
    if rows < 0:
        return ""
    return f" ({count(round(rows / (status.uptime_s - before.uptime_s)))}/s)"
