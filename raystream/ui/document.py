"""What the page is told, as JSON: the status document, what follows from it, and its age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raystream.observe.history import Point
from raystream.observe.rates import Rates, rates
from raystream.observe.status import DROPPED, StatusDocument
from raystream.observe.waiting import why_waiting

SILENT_S = 5.0
"""From this age on numbers are shown as old."""

_GOOD = frozenset({"running", "finished", "stopped"})
_BAD = frozenset({"failing", "failed", "silent", "lost"})


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a job.

    Args:
        status: The newest document.
        before: An earlier one of some seconds before, for rates; None: no rates yet.
        heard_ms: When the job answered last, epoch ms of this machine.
        trouble: Why it has not answered since; empty: it does.
        history: The last 15 minutes.
    """

    status: StatusDocument
    before: StatusDocument | None = None
    heard_ms: int = 0
    trouble: str = ""
    history: Sequence[Point] = ()


def summary(seen: Seen, now_ms: int) -> dict[str, Any]:
    """A row of the list of jobs.

    >>> summary(Seen(StatusDocument("sale", "running"), heard_ms=1_000), 61_000)["silent_s"]
    60.0
    """
    status, rate = seen.status, _rates(seen)
    return {
        "job": status.job,
        "state": state_of(seen, now_ms),
        "tone": tone_of(seen, now_ms),
        "uptime_s": status.uptime_s,
        "rows_in_per_second": rate.rows_in,
        "rows_out_per_second": rate.rows_out,
        "lag_rows": status.lag_rows,
        "checkpoint_age_s": status.checkpoint.age_s,
        "restarts": status.restart_count,
        "words": words_of(seen, now_ms),
        "silent_s": silent_s(seen, now_ms),
    }


def detail(seen: Seen, now_ms: int) -> dict[str, Any]:
    """Everything that the page of a job shows.

    >>> detail(Seen(StatusDocument("sale", "running"), heard_ms=1_000), 2_000)["tone"]
    'good'
    """
    rate = _rates(seen)
    return {
        **summary(seen, now_ms),
        "trouble": seen.trouble,
        "heard_ms": seen.heard_ms,
        "sent_ms": now_ms,
        "bytes_in_per_second": rate.bytes_in,
        "bytes_out_per_second": rate.bytes_out,
        "waiting": why_waiting(seen.status),
        "dropped": {name: seen.status.total(name) for name in DROPPED},
        "rows_read": seen.status.rows_read,
        "rows_written": seen.status.rows_written,
        "history": [asdict(point) for point in seen.history],
        "status": seen.status.to_dict(),
    }


def silent_s(seen: Seen, now_ms: int) -> float | None:
    """For how long a job that has not ended gave no answer; None: it answers."""
    age = (now_ms - seen.heard_ms) / 1000
    over = seen.status.outcome is not None
    return None if over or age < SILENT_S else round(age, 1)


def state_of(seen: Seen, now_ms: int) -> str:
    """State or outcome; `silent` while it gives no answer."""
    if silent_s(seen, now_ms) is not None:
        return "silent"
    return seen.status.outcome or seen.status.state


def tone_of(seen: Seen, now_ms: int) -> str:
    """Colour of its state: good, fair or bad."""
    state, status = state_of(seen, now_ms), seen.status
    if state in _BAD:
        return "bad"
    troubled = bool(status.silences or status.stuck or seen.trouble)
    return "good" if state in _GOOD and not troubled else "fair"


def words_of(seen: Seen, now_ms: int) -> str:
    """Most important sentence about it."""
    status = seen.status
    if silent_s(seen, now_ms) is not None:
        return seen.trouble or "it does not answer"
    if status.message:
        return status.message.splitlines()[0]
    return next(iter(status.culprits), "") or why_waiting(status)


def _rates(seen: Seen) -> Rates:
    """Unknown for a job that has ended."""
    over = seen.status.outcome is not None
    return Rates() if over else rates(seen.status, seen.before)
