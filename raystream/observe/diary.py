"""What happened to a job between two of its status documents, as lines for its log."""

from __future__ import annotations

from raystream.observe.status import StatusDocument

MEGA = 1_000_000


def entries(before: StatusDocument | None, now: StatusDocument) -> list[str]:
    """One line per event, oldest first.

    Args:
        before: The previous document; None: there was none.
        now: The newest document.

    >>> a = StatusDocument("sale", "deploying", attempt=1)
    >>> entries(a, StatusDocument("sale", "running", attempt=1))
    ['attempt 1 is running']
    """
    last = before or StatusDocument(now.job, "")
    return [
        *_failures(last, now),
        *_states(last, now),
        *_checkpoints(last, now),
        *_notes(last, now),
    ]


def _failures(last: StatusDocument, now: StatusDocument) -> list[str]:
    new = now.restart_count - last.restart_count
    return (
        [f"attempt {r.attempt} failed: {r.cause}" for r in now.restarts[-new:]] if new > 0 else []
    )


def _states(last: StatusDocument, now: StatusDocument) -> list[str]:
    if (last.state, last.attempt) == (now.state, now.attempt):
        return []
    if now.state == "ended":
        return [f"the run has ended: {now.outcome}" if now.outcome else "the run has ended"]
    return [
        f"attempt {now.attempt} is {now.state}" if now.attempt >= 0 else f"the job is {now.state}"
    ]


def _checkpoints(last: StatusDocument, now: StatusDocument) -> list[str]:
    done = now.checkpoint
    if done.number <= last.checkpoint.number or done.completed == last.checkpoint.completed:
        return []
    took = f"{done.duration_s:.2f} s ({done.ack_s:.2f} s to the last ack, {done.commit_s:.2f} s"
    return [f"checkpoint {done.number} took {took} to commit), {done.size_bytes / MEGA:.1f} MB"]


def _notes(last: StatusDocument, now: StatusDocument) -> list[str]:
    """New notes, except bottlenecks: those change all the time, and `status` shows them."""
    return [note for note in now.notes if note not in last.notes and note not in now.culprits]
