"""What the page is told, as JSON: the status document, what follows from it, and its age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raystream.observe.culprit import culprit_chain
from raystream.observe.history import Point
from raystream.observe.rates import Rates, rates
from raystream.observe.status import DROPPED, StatusDocument
from raystream.observe.waiting import why_waiting

SILENT_S = 5.0
"""From this age on numbers are shown as old."""

NO_ANSWER = "its coordinator does not answer"
_NOBODY_ANSWERS = (
    "Orders have to wait: nobody of the job answers, so none would be carried out. A coordinator "
    "that is dead or frozen is replaced within a minute, by itself. If it is not, end the process "
    "that started the job; what is committed stays, and its next run continues from there."
)
_NOBODY_IS_REACHED = (
    "Orders are not possible: the job cannot be reached. If its Ray cluster is gone, nothing of it "
    "runs any more, and there is nothing to cancel: started again, it continues from its last "
    "checkpoint."
)

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
    """A row of the list of jobs; what is not known at this moment is None.

    >>> summary(Seen(StatusDocument("sale", "running"), heard_ms=1_000), 61_000)["silent_s"]
    60.0
    """
    status, rate = seen.status, _rates(seen, now_ms)
    silent = silent_s(seen, now_ms)
    return {
        "job": status.job,
        "state": state_of(seen, now_ms),
        "tone": tone_of(seen, now_ms),
        "uptime_s": status.uptime_s,
        "rows_in_per_second": rate.rows_in,
        "rows_out_per_second": rate.rows_out,
        "lag_rows": status.lag_rows if silent is None else None,
        "checkpoint_age_s": _checkpoint_age(seen, now_ms) if silent is None else None,
        "restarts": status.restart_count,
        "words": words_of(seen, now_ms),
        "silent_s": silent,
        "ended_s": _ended_s(seen, now_ms),
    }


def detail(seen: Seen, now_ms: int) -> dict[str, Any]:
    """Everything that the page of a job shows.

    >>> detail(Seen(StatusDocument("sale", "running"), heard_ms=1_000), 2_000)["tone"]
    'good'
    """
    rate = _rates(seen, now_ms)
    return {
        **summary(seen, now_ms),
        "trouble": seen.trouble,
        "no_orders": no_orders(seen, now_ms),
        "heard_ms": seen.heard_ms,
        "sent_ms": now_ms,
        "bytes_in_per_second": rate.bytes_in,
        "bytes_out_per_second": rate.bytes_out,
        "waiting": "" if seen.status.outcome else why_waiting(seen.status),
        "culprit_chain": "" if seen.status.outcome else culprit_chain(seen.status),
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


def no_orders(seen: Seen, now_ms: int) -> str:
    """Why it can be given no orders; empty: it can.

    >>> no_orders(Seen(StatusDocument("sale", "ended", outcome="stopped")), 0)
    'The run has ended: there is nothing to stop.'
    """
    if seen.status.outcome is not None:
        return "The run has ended: there is nothing to stop."
    if silent_s(seen, now_ms) is None:
        return ""
    return _NOBODY_ANSWERS if seen.trouble in {"", NO_ANSWER} else _NOBODY_IS_REACHED


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


def _rates(seen: Seen, now_ms: int) -> Rates:
    """Unknown for a job that has ended or gives no answer."""
    if seen.status.outcome is not None or silent_s(seen, now_ms) is not None:
        return Rates()
    return rates(seen.status, seen.before)


def _ended_s(seen: Seen, now_ms: int) -> float | None:
    """For how long it has been over; None: it is not, or nobody knows since when."""
    if seen.status.outcome is None or not seen.status.at_ms:
        return None
    return round(max(0.0, (now_ms - seen.status.at_ms) / 1000), 1)


def _checkpoint_age(seen: Seen, now_ms: int) -> float | None:
    """Of the last checkpoint; that of a job that has ended grows older."""
    age = seen.status.checkpoint.age_s
    return None if age is None else age + (_ended_s(seen, now_ms) or 0.0)
