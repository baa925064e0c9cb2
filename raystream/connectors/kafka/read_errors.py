"""Errors that end a read: records are never silently skipped, offsets never silently reset."""

from __future__ import annotations

from raystream.errors import JobFailed

_FROM_SCRATCH = "run with --from-scratch to read it from starting_offsets"


def offset_gone(topic: str, partition: int, offset: int, reason: str) -> JobFailed:
    """The saved offset is no longer (or not yet again) in the partition."""
    what = f"saved offset {offset} is not in the topic any more ({reason})"
    advice = f"records between were lost to retention or truncation: {_FROM_SCRATCH}"
    return JobFailed(what, f"topic {topic}, partition {partition}", advice)


def damaged(topic: str, partition: int, offset: int, reason: str) -> JobFailed:
    """The log of the partition contains bytes that are not records."""
    what = f"a batch at or behind this offset is damaged in the log of the broker ({reason})"
    where = f"topic {topic}, partition {partition}, offset {offset}"
    advice = (
        "let the broker take the partition from another replica, or move the records behind the "
        f"batch to another topic; nothing was skipped: {_FROM_SCRATCH}"
    )
    return JobFailed(what, where, advice)


def topic_changed(topic: str) -> JobFailed:
    """The topic was deleted and re-created: its offsets mean other records."""
    what = "the topic was deleted and made again since the last checkpoint"
    return JobFailed(what, f"topic {topic}", f"its old offsets mean nothing: {_FROM_SCRATCH}")


def topic_gone(topic: str) -> JobFailed:
    """The topic, or a partition of it, does not exist."""
    what = "the topic or one of its partitions was deleted"
    return JobFailed(what, f"topic {topic}", "create it, then run with --from-scratch")


def refused(reason: str, where: str) -> JobFailed:
    """The brokers refuse us."""
    what = f"the brokers refuse to be read: {reason}"
    advice = "check user, password and certificates; allow READ on the topic and on the group"
    return JobFailed(what, where, advice)
