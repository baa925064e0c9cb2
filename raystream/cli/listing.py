"""`raystream list` and `status`: jobs and one job, as text and as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from raystream.cli import console
from raystream.observe.rates import rates
from raystream.observe.status import StatusDocument
from raystream.observe.words import count, duration

if TYPE_CHECKING:
    from raystream.job.past import PastRun

HEADER = ("NAME", "STATE", "UPTIME", "READ", "ROWS/S", "WRITTEN", "CHECKPOINT", "RESTARTS")
HOW = 60
"""Maximum characters of the reason why a run ended, in a table."""

LOOK_S = 1.2
"""Seconds between two samples for rates: a job publishes its status about once a second."""


def as_rows(jobs: Sequence[tuple[StatusDocument, StatusDocument]]) -> list[tuple[str, ...]]:
    """The table of `raystream list`, with its header.

    Args:
        jobs: Each as of now and a moment before.
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


PAST = (*HEADER[:4], "WRITTEN", "CHECKPOINT", "ENDED", "HOW")


def past_rows(
    jobs: Sequence[tuple[StatusDocument, StatusDocument]], runs: Sequence[PastRun]
) -> list[tuple[str, ...]]:
    """The table of `raystream list --all`, with its header.

    Args:
        jobs: Existing jobs, each as of now and a moment before.
        runs: Ended runs.
    """
    living = [(row[:4], row[5], row[6], "-", now.message) for now, row in _rows_of(jobs)]
    past = [(_first_of(run), *_rest_of(run)) for run in runs]
    return [PAST, *((*first, *map(str, rest)) for first, *rest in (*living, *past))]


def _rows_of(
    jobs: Sequence[tuple[StatusDocument, StatusDocument]],
) -> list[tuple[StatusDocument, tuple[str, ...]]]:
    return [(now, _row(now, before)) for now, before in jobs]


def _first_of(run: PastRun) -> tuple[str, ...]:
    told = run.document()
    uptime = duration(told.uptime_s) if told.uptime_s else "-"
    return told.job, console.state(told.outcome or told.state), uptime, count(told.rows_read)


def _rest_of(run: PastRun) -> tuple[str, ...]:
    told = run.document()
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(told.at_ms / 1000)) if told.at_ms else "-"
    return count(told.rows_written), _last_checkpoint(told), at, _how(run)


def _how(run: PastRun) -> str:
    """Why it ended, in one short line: the last error, or who asked for it."""
    lines = run.document().message.splitlines()
    text = (run.outcome.ended_by if run.outcome else "") or (lines[0] if lines else "")
    return text if len(text) <= HOW else f"{text[: HOW - 2]}.."


def past_document(run: PastRun) -> dict[str, Any]:
    """An ended run in `raystream list --all --json`.

    Args:
        run: The run.
    """
    told = run.document()
    ended_by = run.outcome.ended_by if run.outcome else ""
    extra = {"run": run.run, "started_at_ms": run.started_at_ms, "ended_at_ms": told.at_ms or None}
    return {
        **as_document(told, told),
        **extra,
        "message": told.message,
        "ended_by": ended_by,
        "where": run.where,
    }


def show_past(run: PastRun) -> None:
    """Print how an ended run ended.

    Args:
        run: The run.
    """
    told = run.document()
    show(told)
    if told.at_ms:
        at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(told.at_ms / 1000))
        by = run.outcome.ended_by if run.outcome else ""
        print(f"ended {at}{f': {by}' if by else ''}; it ran on {run.where}")


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
    """Print one job for people, like the live view.

    Args:
        now: Its status.
        before: A moment before, for rates.
    """
    from raystream.observe.live_lines import live_lines

    lines = live_lines(now, before)
    if console.in_colour():
        from raystream.api.jobs.live_view import drawn

        console.console().print(drawn(lines), soft_wrap=True)
    else:
        print("\n".join("".join(text for text, _ in line) for line in lines))
    if now.message:
        print(now.message)


def _last_checkpoint(now: StatusDocument) -> str:
    done = now.checkpoint
    if not done.number:
        return "-"
    old = done.age_s is None or now.state == "ended"  # its age at that time is meaningless
    return f"{done.number}" + ("" if old else f", {duration(done.age_s or 0.0)} ago")
