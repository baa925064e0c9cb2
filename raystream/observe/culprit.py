"""Explain what slows a job down: a slow step, sink or source, skew, a watermark, an ack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raystream.observe.silence import Silence, longest, why_silent
from raystream.observe.status import ChainStatus, StatusDocument, StepStatus
from raystream.observe.stuck import why_stuck
from raystream.observe.waiting import event_time
from raystream.observe.words import count, duration, listed, percent

SLOW = 0.8
"""A subtask that is busy (or waiting) for more than this share of the time is reported."""

SKEWED = 1.8
"""Rows of the busiest subtask over the median (of two subtasks it cannot exceed 2)."""

STARVED_ROWS = 10_000
"""With this many rows left to read, a waiting source means that the system it reads is slow."""

LONG_CHECKPOINT_S = 5.0
"""A checkpoint that takes longer than this, and than its interval, is reported."""

STORING_S = 3.0
"""State handed in by all subtasks but not stored for this long waits for storage."""

DEAR_ROW_MS = 1.0
"""A row that costs this much is reported: columns cost a thousandth of it."""

FUNCTIONS = ("row_functions", "map_batches", "process")
"""Verbs of steps that run Python code of the user."""

OLD_TRANSACTION = 0.5
"""Share of the broker's limit beyond which an open transaction is reported."""


def culprits(status: StatusDocument) -> tuple[str, ...]:
    """Sentences, the most useful first; empty if nothing slows the job down.

    Args:
        status: Any status document; `chains` in topological order.

    >>> slow = ChainStatus("count", busy=0.97)
    >>> culprits(StatusDocument("sale", "running", chains=(ChainStatus("read", 0.1, 0.9), slow)))
    ('count is the slowest step (busy 97 %); read waits for it',)
    """
    found = (
        why_silent(status),
        why_stuck(status.stuck)
        or slowest(status.chains, status.steps)
        or slow_sink(status)
        or slow_source(status),
        "" if status.silences else event_time(status),
        slow_checkpoint(status),
        old_transaction(status),
    )
    return tuple(sentence for sentence in found if sentence)


def culprit_chain(status: StatusDocument) -> str:
    """Name of the chain that the sentences of `culprits` blame; empty if it is none.

    Args:
        status: Any status document; `chains` in topological order.

    >>> slow = ChainStatus("count", busy=0.97)
    >>> culprit_chain(StatusDocument("sale", "running", chains=(ChainStatus("read"), slow)))
    'count'
    """
    if status.silences:
        return ""
    if status.stuck:
        return status.stuck[0].subtask.rpartition("[")[0]
    blamed = (_busiest(status.chains), _fullest_sink(status.chains), _starved(status))
    return next((chain.name for chain in blamed if chain is not None), "")


def with_silences(status: StatusDocument, found: Sequence[Silence]) -> StatusDocument:
    """Add other systems that do not answer to the status.

    Args:
        status: Any status document.
        found: Silences besides those in the status.

    >>> with_silences(StatusDocument("sale", "running"), [Silence("storage /s", 12.0)]).culprits
    ('storage /s has not answered for 12 s',)
    """
    if not found or status.outcome is not None:
        return status
    known = replace(status, silences=longest((*status.silences, *found)))
    told = culprits(known)
    notes = tuple(note for note in status.notes if note not in status.culprits)
    return replace(known, notes=notes + told, culprits=told)


def slowest(chains: Sequence[ChainStatus], steps: Sequence[StepStatus] = ()) -> str:
    """The last busy chain behind a back-pressured one, or a chain that is simply full.

    The user's functions that run in it are named: usually they are the reason.
    """
    worst = _busiest(chains)
    if worst is None:
        return ""
    before = chains[: chains.index(worst)]
    waiting = [chain.name for chain in before if chain.backpressured >= 1 - SLOW]
    tail = f"; {listed(waiting)} wait{'s' if len(waiting) == 1 else ''} for it"
    plain = f"{worst.name} is the slowest step ({_work(worst)}){_in_it(worst, steps)}"
    return (_skewed(worst) or plain) + (tail if waiting else "")


def _busiest(chains: Sequence[ChainStatus]) -> ChainStatus | None:
    busy = [chain for chain in chains if chain.busy >= SLOW]
    return max(busy, key=lambda chain: chain.busy, default=None)


def _work(chain: ChainStatus) -> str:
    """How busy a chain is: on how many subtasks, and the cost per row if it is high.

    >>> _work(ChainStatus("geo", 0.97, ms_per_row=20.4))
    'busy 97 %, 20 ms a row'
    """
    words = [f"busy {percent(chain.busy)}"]
    if len(chain.subtasks) > 1:
        full = sum(each.busy >= SLOW for each in chain.subtasks)
        words.append(f"{full} of {len(chain.subtasks)} subtasks are full")
    if chain.ms_per_row is not None and chain.ms_per_row >= DEAR_ROW_MS:
        words.append(f"{chain.ms_per_row:.0f} ms a row")
    return ", ".join(words)


def _in_it(chain: ChainStatus, steps: Sequence[StepStatus]) -> str:
    mine = [step.name for step in steps if step.chain == chain.name and step.verb in FUNCTIONS]
    return f"; it runs {listed(mine)}" if mine else ""


def _skewed(chain: ChainStatus) -> str:
    """One subtask is busy and the others are not, because its keys have most of the rows."""
    if len(chain.subtasks) < 2 or chain.skew is None or chain.skew < SKEWED:
        return ""
    worst = max(chain.subtasks, key=lambda each: each.busy)
    if worst.rows < max(each.rows for each in chain.subtasks):
        return ""
    others = [each for each in chain.subtasks if each is not worst]
    if min(each.busy for each in others) >= SLOW:
        return ""
    return (
        f"{chain.name}[{worst.index}] is the slowest (busy {percent(worst.busy)}): it gets"
        f" {chain.skew:.1f} times the median of rows, its keys are skewed"
    )


def slow_sink(status: StatusDocument) -> str:
    """A chain whose own sink accepts no more rows most of the time."""
    worst = _fullest_sink(status.chains)
    if worst is None:
        return ""
    sinks = [step for step in status.steps if step.chain == worst.name and step.is_sink]
    name = sinks[0].name if sinks else worst.name
    return (
        f"{name} is slow: {_what(sinks, 'its sink')} does not accept more rows"
        f" ({worst.name} waits for it {percent(worst.sink_wait)} of the time)"
    )


def _fullest_sink(chains: Sequence[ChainStatus]) -> ChainStatus | None:
    full = [chain for chain in chains if chain.sink_wait >= 1 - SLOW]
    return max(full, key=lambda chain: chain.sink_wait, default=None)


def slow_source(status: StatusDocument) -> str:
    """A source that waits although there is much to read: the system it reads from is slow."""
    chain = _starved(status)
    if chain is None:
        return ""
    sources = _sources(status, chain)
    return (
        f"{sources[0].name} waits for {_what(sources, 'its source')}:"
        f" {count(_left(status, chain))} rows are left to read, but arrive slowly"
        f" (idle {percent(_idle(chain))})"
    )


def _starved(status: StatusDocument) -> ChainStatus | None:
    for chain in status.chains:
        told = any(each.busy + each.backpressured + each.idle > 0 for each in chain.subtasks)
        if told and _left(status, chain) >= STARVED_ROWS and _idle(chain) >= 0.5:
            return chain
    return None


def _idle(chain: ChainStatus) -> float:
    return 1 - chain.busy - chain.backpressured


def _left(status: StatusDocument, chain: ChainStatus) -> int:
    """Rows that the source of a chain has not read."""
    names = [step.name for step in _sources(status, chain)[:1]]
    return sum(split.lag_rows or 0 for split in status.splits if split.step in names)


def _sources(status: StatusDocument, chain: ChainStatus) -> list[StepStatus]:
    return [step for step in status.steps if step.chain == chain.name and step.is_source]


def _what(steps: Sequence[StepStatus], otherwise: str) -> str:
    return steps[0].description if steps and steps[0].description else otherwise


def slow_checkpoint(status: StatusDocument) -> str:
    """The running checkpoint takes long: names whose ack is missing."""
    checkpoint = status.checkpoint
    seconds = checkpoint.running_s or 0.0
    if checkpoint.running is None or seconds < max(LONG_CHECKPOINT_S, checkpoint.interval_s):
        return ""
    name = f"checkpoint {checkpoint.running}"
    if not checkpoint.waiting_for:
        return f"{name} is being committed; it was triggered {duration(seconds)} ago"
    who = listed(list(checkpoint.waiting_for))
    if checkpoint.storing_s is not None and checkpoint.storing_s >= STORING_S:
        where = f"storage {status.storage} to store the state of {who}"
        return f"{name} has been waiting {duration(checkpoint.storing_s)} for {where}"
    return f"{name} has been waiting {duration(seconds)} for {who}"


def old_transaction(status: StatusDocument) -> str:
    """A transaction that the broker may abort soon."""
    old = [t for t in status.transactions if 0 < t.limit_s * OLD_TRANSACTION < t.age_s]
    if not old:
        return ""
    worst = max(old, key=lambda each: each.age_s / each.limit_s)
    return (
        f"transaction {worst.name} of {worst.step} is {duration(worst.age_s)} old;"
        f" the broker aborts it after {duration(worst.limit_s)}"
    )
