"""Says in words who holds a job back: event time that stands still, or a chain that is too slow."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.observe.status import ChainStatus, StatusDocument

SLOW = 0.8
"""A subtask that works (or waits) more than this share of the time is worth a sentence."""


def culprits(status: StatusDocument) -> tuple[str, ...]:
    """Sentences, the most useful first; empty if nothing holds the job back.

    Args:
        status: Any status document; `chains` in topological order.

    >>> slow = ChainStatus("count", busy=0.97)
    >>> culprits(StatusDocument("sale", "running", chains=(ChainStatus("read", 0.1, 0.9), slow)))
    ('count is the slowest step (busy 97 %); read waits for it',)
    """
    found = (slowest(status.chains), holder_of_event_time(status.chains))
    return tuple(sentence for sentence in found if sentence)


def slowest(chains: Sequence[ChainStatus]) -> str:
    """The last busy chain behind a back-pressured one, or a chain that is simply full."""
    busy = [chain for chain in chains if chain.busy >= SLOW]
    if not busy:
        return ""
    worst = max(busy, key=lambda chain: chain.busy)
    waiting = [chain.name for chain in chains if chain.backpressured >= 1 - SLOW]
    tail = f"; {', '.join(waiting)} wait{'s' if len(waiting) == 1 else ''} for it"
    return f"{worst.name} is the slowest step (busy {worst.busy:.0%})".replace("%", " %") + (
        tail if waiting else ""
    )


def holder_of_event_time(chains: Sequence[ChainStatus]) -> str:
    """The chain nearest to a source whose watermark is held back by somebody it can name."""
    held = [chain for chain in chains if chain.held_back_by]
    if not held:
        return ""
    chain = held[0]
    if chain.watermark_ms is None:
        return f"no event time yet in {chain.name}: waiting for {chain.held_back_by}"
    return f"event time of {chain.name} is held back by {chain.held_back_by}"
