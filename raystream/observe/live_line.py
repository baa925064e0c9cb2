"""One line of progress for terminals: state, what is wrong, rows, rate, checkpoints, lag."""

from __future__ import annotations

from raystream.observe.rates import rates
from raystream.observe.silence import brief
from raystream.observe.status import StatusDocument
from raystream.observe.waiting import FOR_DATA, why_waiting
from raystream.observe.words import count, duration

WIDTH = 80
"""Columns of a default terminal: a longer line would wrap."""

NAME, SHORT_NAME = 24, 10
"""Maximum characters of the job's name: it must leave room for events."""

LEAST_REASON = 25
"""The problem is cut to fit, but never to less than this."""

RECENT_S = 60.0
"""A restart of a running job that is this long ago is shown as a number only."""


def live_line(status: StatusDocument, before: StatusDocument | None = None) -> str:
    """Format the job as one line of at most 80 characters: problems first, then what fits.

    Args:
        status: Now.
        before: A document of some seconds ago, for the rate; None: no rate.

    >>> from raystream.observe.status import StepStatus
    >>> read = StepStatus("read", "read", 1, rows_out=2_500_000, counters={"is_source": 1})
    >>> live_line(StatusDocument("sale", "running", uptime_s=12, attempt=1, steps=(read,)))
    'sale  running  12 s  read 2.50 M  written 0  checkpoint -'
    """
    state = f"  {status.outcome or status.state}  {duration(status.uptime_s)}"
    reason = brief(status.silences) or _restarts(status) or _quiet(status)
    flow = _flow(status, before)
    wanted = flow[0] if reason else "  ".join(flow)
    alone = reason and (status.silences or status.state != "running")
    wanted = "" if alone else f"  {wanted}"
    least = len(reason) if status.silences else min(len(reason), LEAST_REASON)
    least += 2 if reason else 0
    room = WIDTH - len(state) - len(wanted) - least
    line = cut(status.job, min(NAME, max(SHORT_NAME, room))) + state
    if reason:
        room = WIDTH - len(line) - 2 - len(wanted)
        line += f"  {cut(reason, max(LEAST_REASON, room))}"
    for part in (*flow, *_more(status)):
        if len(line) + len(part) + 2 <= WIDTH:
            line += f"  {part}"
    return line


def cut(text: str, most: int) -> str:
    """Shorten to at most this many characters; cuts off the end.

    >>> cut("KeyError: 'ip' in a row", 12)
    'KeyError: ..'
    """
    return text if len(text) <= most else f"{text[: most - 3].rstrip()} .."


def _flow(status: StatusDocument, before: StatusDocument | None) -> list[str]:
    per_second = rates(status, before).rows_in
    rate = "" if per_second is None else f" ({count(round(per_second))}/s)"
    return [
        f"read {count(status.rows_read)}{rate}",
        f"written {count(status.rows_written)}",
        f"checkpoint {status.checkpoint.number or '-'}",
    ]


def _more(status: StatusDocument) -> list[str]:
    """Optional parts, the most important first."""
    counted = {
        "dead letters": status.total("dlq_rows"),
        "lag": sum(status.lag.values()),
        "late": status.total("late_rows"),
        "skipped": status.total("skipped_rows"),
        "unknown fields": sum(step.unknown_fields for step in status.steps),
    }
    parts = [f"{name} {count(n)}" for name, n in counted.items() if n]
    return [f"{part}+" if part.startswith("unknown fields") else part for part in parts]


def _quiet(status: StatusDocument) -> str:
    waits = why_waiting(status).partition(": ")[0]
    return waits if waits.startswith(f"{FOR_DATA} since") else ""


def _restarts(status: StatusDocument) -> str:
    """Number of restarts and the last cause."""
    if not status.restart_count:
        return ""
    last = status.restarts[-1] if status.restarts else None
    old = last is None or status.uptime_s - last.at_s > RECENT_S
    cause = "" if last is None or (old and status.state == "running") else last.short
    return f"restarts {status.restart_count}{f' ({cause})' if cause else ''}"
