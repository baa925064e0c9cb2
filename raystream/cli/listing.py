"""`raystream list` and `status`: jobs and one job, as text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from raystream.cli import console
from raystream.observe.rates import rates
from raystream.observe.status import StatusDocument
from raystream.observe.words import count, duration

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


def show(now: StatusDocument, before: StatusDocument | None = None) -> None:
    """Print one job for people, as the live view shows it.

    Args:
        now: Its status.
        before: A moment before, for rates.
    """
    from raystream.observe.live_lines import live_lines

    lines = live_lines(now, before)
    if console.in_colour():
        from raystream.api.live_view import drawn

        console.console().print(drawn(lines), soft_wrap=True)
    else:
        print("\n".join("".join(text for text, _ in line) for line in lines))
    if now.message:
        print(now.message)


def _last_checkpoint(now: StatusDocument) -> str:
    done = now.checkpoint
    if not done.number:
        return "-"
    return f"{done.number}" + ("" if done.age_s is None else f", {duration(done.age_s)} ago")
