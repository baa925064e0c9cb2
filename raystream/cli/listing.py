"""`raystream list` and `status`: jobs and one job, as text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from raystream.cli import console
from raystream.observe.rates import rates
from raystream.observe.status import DROPPED, StatusDocument
from raystream.observe.waiting import why_waiting
from raystream.observe.words import count, duration, instant, short, size

HEADER = ("NAME", "STATE", "UPTIME", "READ", "ROWS/S", "WRITTEN", "CHECKPOINT", "RESTARTS")
LOOK_S = 1.2
"""Between two looks of which rates are made: a job publishes its status about once a second."""


def looked_twice(address: str | None) -> list[tuple[StatusDocument, StatusDocument]]:
    """Every job of the cluster, now and a moment before.

    Args:
        address: Of the cluster.

    Raises:
        ConfigurationError: there is none.
    """
    from raystream.runtime.ray.overview import statuses

    before = {status.job: status for status in statuses(address)}
    if any(status.state == "running" for status in before.values()):
        time.sleep(LOOK_S)
        now = statuses(address)
    else:
        now = list(before.values())
    return [(status, before.get(status.job, status)) for status in now]


def as_rows(jobs: Sequence[tuple[StatusDocument, StatusDocument]]) -> list[tuple[str, ...]]:
    """The table of `raystream list`, with its header.

    Args:
        jobs: Each now and a moment before.
    """
    return [HEADER, *(_row(now, before) for now, before in jobs)]


def _row(now: StatusDocument, before: StatusDocument) -> tuple[str, ...]:
    rate = rates(now, before).rows_in
    return (
        now.job,
        console.state(now.outcome or now.state),
        duration(now.uptime_s) if now.uptime_s else "-",
        count(now.rows_read),
        "-" if rate is None or now.state == "ended" else count(round(rate)),
        count(now.rows_written),
        _last_checkpoint(now),
        str(now.restart_count),
    )


def as_document(now: StatusDocument, before: StatusDocument) -> dict[str, Any]:
    """A job in `raystream list --json`.

    Args:
        now: Its status.
        before: A moment before.
    """
    return {
        "name": now.job,
        "state": now.state,
        "outcome": now.outcome,
        "uptime_s": now.uptime_s,
        "rows_read": now.rows_read,
        "rows_written": now.rows_written,
        "rows_read_per_second": rates(now, before).rows_in,
        "checkpoint": now.checkpoint.number,
        "checkpoint_age_s": now.checkpoint.age_s,
        "restarts": now.restart_count,
    }


def status_lines(now: StatusDocument, before: StatusDocument | None = None) -> list[str]:
    """One job for people: a label and what there is to say, line by line.

    Args:
        now: Its status.
        before: A moment before, for rates.
    """
    rate = rates(now, before)
    lines = [
        ("job", now.job),
        ("state", _state(now)),
        ("uptime", f"{duration(now.uptime_s)}, {_restarts(now)}"),
        ("read", _rows(now.rows_read, rate.rows_in)),
        ("written", _rows(now.rows_written, rate.rows_out)),
        ("lag", ", ".join(f"{split} {count(n)}" for split, n in now.lag.items() if n) or "none"),
        ("event time", _event_time(now)),
        ("checkpoint", _checkpoint(now)),
        ("transactions", _transactions(now)),
        ("left out", _left_out(now)),
        *(("note", note) for note in now.notes),
        *(("ended", line) for line in now.message.splitlines()),
    ]
    return console.columns([line for line in lines if line[1]])


def _state(now: StatusDocument) -> str:
    ended = f" {console.state(now.outcome)}" if now.outcome else ""
    return f"{console.state(now.state)}{ended}"


def _restarts(now: StatusDocument) -> str:
    if not now.restart_count:
        return "no restarts"
    last = f", the last: {now.restarts[-1].cause}" if now.restarts else ""
    return f"{now.restart_count} restarts{last}"


def _rows(n: int, per_second: float | None) -> str:
    rate = "" if per_second is None else f" ({count(round(per_second))}/s)"
    return f"{count(n)} rows{rate}"


def _event_time(now: StatusDocument) -> str:
    why = why_waiting(now)
    return instant(now.watermark_ms, now.at_ms) + (f"; {why}" if why else "")


def _last_checkpoint(now: StatusDocument) -> str:
    done = now.checkpoint
    if not done.number:
        return "-"
    return f"{done.number}" + ("" if done.age_s is None else f", {duration(done.age_s)} ago")


def _checkpoint(now: StatusDocument) -> str:
    done = now.checkpoint
    if not done.number:
        return "none yet"
    took = f", took {short(done.duration_s)}" if done.duration_s else ""
    failed = f"; {done.failed} failed" if done.failed else ""
    return f"{_last_checkpoint(now)}{took}, {size(done.size_bytes)} of state{failed}"


def _transactions(now: StatusDocument) -> str:
    if not now.open_transactions:
        return ""
    return f"{now.open_transactions} open, the oldest for {short(now.oldest_transaction_s)}"


def _left_out(now: StatusDocument) -> str:
    found = {name.removesuffix("_rows"): now.total(name) for name in DROPPED}
    return ", ".join(f"{name} {count(n)}" for name, n in found.items() if n)
