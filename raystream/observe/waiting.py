"""Explain why the watermark does not advance, or why nothing flows: what keeps a window open."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.observe.flow import ChainStatus, SplitStatus
from raystream.observe.silence import why_silent
from raystream.observe.status import StatusDocument
from raystream.observe.words import count, duration, instant, listed, split_name

NEAR_MS = 1_000
"""Splits this close to one another do not wait for each other."""

SPREAD_MS = 60_000
"""A split this far behind the furthest one is reported."""

FOR_DATA = "waiting for data"
"""Start of the sentence when the job is healthy and no records arrive."""

QUIET_S = 5.0
"""After this many seconds without data the sentence names the time of the last row."""

_STATES = {
    "recovering": "Recovering: finishing pending commits",
    "deploying": "Starting: subtasks are being opened",
    "failing": "Failed, restarting",
    "stopping": "Stopping: the last checkpoint is being made",
}


def why_waiting(status: StatusDocument) -> str:
    """Why no output comes now, in one sentence; empty if nothing waits.

    >>> from raystream.observe.flow import SplitStatus
    >>> quiet = SplitStatus("requests/3", lag_rows=0, watermark_ms=190_000, quiet_seconds=40.0)
    >>> ahead = SplitStatus("requests/0", lag_rows=9, watermark_ms=900_000)
    >>> why_waiting(StatusDocument("sale", "running", splits=(quiet, ahead)))
    'watermark waits: partition requests/3 idle at 00:03:10, nothing new for 40 s'
    """
    if status.silences:
        return why_silent(status)
    if status.state in _STATES:
        cause = f": {status.restarts[-1].short}" if status.restarts else ""
        return _STATES[status.state] + (cause if status.state == "failing" else "")
    if status.state != "running" or not status.splits:
        return ""
    if all(_at_end(split) for split in status.splits):
        return f"{FOR_DATA}{_since(status)}: {_all_read(status.splits)}"
    return event_time(status, always=True)


def event_time(status: StatusDocument, *, always: bool = False) -> str:
    """What holds the watermark back, and why.

    Args:
        status: Any status.
        always: Also if the splits are so close to one another that it does not matter.
    """
    if not status.splits:
        return _of_chains(status.chains)
    active = [split for split in status.splits if not split.idle]
    silent = [split for split in active if split.watermark_ms is None]
    if silent:
        return _silent(silent)
    if not active:
        return ""
    lowest = min(active, key=lambda split: split.watermark_ms or 0)
    ahead = max(split.watermark_ms or 0 for split in status.splits) - (lowest.watermark_ms or 0)
    if ahead <= (NEAR_MS if always else SPREAD_MS):
        return ""
    paused = sum(split.paused for split in status.splits)
    return _lowest(lowest, ahead, status.at_ms) + (
        f", {paused} not read meanwhile" if paused else ""
    )


def _lowest(split: SplitStatus, ahead_ms: int, now_ms: int) -> str:
    name, time = split_name(split.split), instant(split.watermark_ms, now_ms)
    if split.quiet_seconds is not None:
        quiet = f"nothing new for {duration(split.quiet_seconds)}"
        return f"watermark waits: {name} idle at {time}, {quiet}"
    behind = f", {count(split.lag_rows)} rows left" if split.lag_rows else ""
    ahead = f"others are {duration(ahead_ms / 1000)} ahead"
    return f"watermark is delayed by {name} at {time}{behind}: {ahead}"


def _silent(silent: Sequence[SplitStatus]) -> str:
    names = listed([split_name(split.split) for split in silent])
    quiet = [split.quiet_seconds for split in silent if split.quiet_seconds is not None]
    since = f": empty for {duration(max(quiet))}" if len(quiet) == len(silent) else ""
    verb = "has" if len(silent) == 1 else "have"
    return f"no watermark yet: {names} {verb} delivered no rows{since}"


def _since(status: StatusDocument) -> str:
    """Time of the last row among the splits still reported: a silent source closes no window."""
    quiet = [s.quiet_seconds for s in status.splits if s.quiet_seconds is not None]
    told = quiet and len(quiet) == len(status.splits) and status.at_ms
    if not told or min(quiet) < QUIET_S:
        return ""
    return f" since {instant(status.at_ms - round(min(quiet) * 1000), status.at_ms)}"


def _at_end(split: SplitStatus) -> bool:
    return split.idle or split.quiet_seconds is not None or split.lag_rows == 0


def _all_read(splits: Sequence[SplitStatus]) -> str:
    if len(splits) == 1:
        return f"{split_name(splits[0].split)} has been read to the end"
    return f"all {len(splits)} splits have been read to the end"


def _of_chains(chains: Sequence[ChainStatus]) -> str:
    """The chain nearest to a source whose watermark is held back by something it can name."""
    held = [chain for chain in chains if chain.held_back_by]
    if not held:
        return ""
    chain = held[0]
    if chain.watermark_ms is None:
        return f"no watermark yet in {chain.name}: waiting for {chain.held_back_by}"
    return f"watermark of {chain.name} is delayed by {chain.held_back_by}"
