"""What happened to a job between two of its status documents, as lines for its log."""

from __future__ import annotations

from dataclasses import dataclass

from raystream.observe.status import StatusDocument

MEGA = 1_000_000
ENDED = "the run has ended"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job.

    Args:
        at_ms: Epoch ms.
        kind: failure, state, checkpoint, savepoint, note, end.
        text: In words.
        attempt: Number of the attempt.
        checkpoint: Number of the newest completed checkpoint, 0: none.
    """

    at_ms: int
    kind: str
    text: str
    attempt: int = 0
    checkpoint: int = 0


def events(before: StatusDocument | None, now: StatusDocument) -> list[Event]:
    """What happened between two documents, oldest first.

    >>> a = StatusDocument("sale", "deploying", attempt=1)
    >>> events(a, StatusDocument("sale", "running", attempt=1))[0].text
    'attempt 1 is running'
    """
    last = before or StatusDocument(now.job, "")
    found = (
        ("failure", _failures(last, now)),
        ("state", _states(last, now)),
        ("checkpoint", _checkpoints(last, now)),
        ("savepoint", _savepoints(last, now)),
        ("note", _notes(last, now)),
    )
    return [
        Event(now.at_ms, kind, text, now.attempt, now.checkpoint.number)
        for kind, texts in found
        for text in texts
    ]


def entries(before: StatusDocument | None, now: StatusDocument) -> list[str]:
    """One line per event, oldest first.

    Args:
        before: The previous document; None: there was none.
        now: The newest document.

    >>> a = StatusDocument("sale", "deploying", attempt=1)
    >>> entries(a, StatusDocument("sale", "running", attempt=1))
    ['attempt 1 is running']
    """
    return [event.text for event in events(before, now)]


def _failures(last: StatusDocument, now: StatusDocument) -> list[str]:
    new = now.restart_count - last.restart_count
    return (
        [f"attempt {r.attempt} failed: {r.cause}" for r in now.restarts[-new:]] if new > 0 else []
    )


def _states(last: StatusDocument, now: StatusDocument) -> list[str]:
    if (last.state, last.attempt) == (now.state, now.attempt):
        return []
    if now.state == "ended":
        return [f"{ENDED}: {now.outcome}" if now.outcome else ENDED]
    return [
        f"attempt {now.attempt} is {now.state}" if now.attempt >= 0 else f"the job is {now.state}"
    ]


def _checkpoints(last: StatusDocument, now: StatusDocument) -> list[str]:
    done = now.checkpoint
    if done.number <= last.checkpoint.number or done.completed == last.checkpoint.completed:
        return []
    took = f"{done.duration_s:.2f} s ({done.ack_s:.2f} s to the last ack, {done.commit_s:.2f} s"
    return [f"checkpoint {done.number} took {took} to commit), {done.size_bytes / MEGA:.1f} MB"]


def _savepoints(last: StatusDocument, now: StatusDocument) -> list[str]:
    known = {entry.savepoint for entry in last.checkpoint.history}
    new = [e for e in now.checkpoint.history if e.savepoint and e.savepoint not in known]
    return [f"checkpoint {entry.number} is kept as savepoint {entry.savepoint}" for entry in new]


def _notes(last: StatusDocument, now: StatusDocument) -> list[str]:
    """New notes, except bottlenecks: those change all the time, and `status` shows them."""
    return [note for note in now.notes if note not in last.notes and note not in now.culprits]
