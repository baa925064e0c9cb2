"""The live view of a job as a few short lines of styled text, to be drawn on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from raystream.observe.rates import Rates, rates
from raystream.observe.status import DROPPED, StatusDocument, StepStatus
from raystream.observe.unknown import listed as fields
from raystream.observe.waiting import FOR_DATA, why_waiting
from raystream.observe.words import age, count, duration, instant, listed, resumed, short, size

Line = list[tuple[str, str]]
"""Pieces of text with a style: good, fair, bad, bold, faint, or empty."""

LABEL = 13
MOST_SOURCES = 4
MOST_CULPRITS = 3

DROPPED_LABELS = {
    "late_rows": "late",
    "dlq_rows": "dead letters",
    "future_rows": "from the future",
    "skipped_rows": "skipped",
    "filtered_rows": "filtered",
    "duplicate_rows": "duplicates",
}
"""Counter -> its name for people."""

_MEANT = {"filtered_rows", "duplicate_rows"}
"""Rows that are dropped because the user asked for it."""

_STATES = {"running": "good", "failing": "bad", "ended": "bold"}


def live_lines(status: StatusDocument, before: StatusDocument | None = None) -> list[Line]:
    """Format the job as at most 20 lines, most of them shorter than 80 characters.

    Args:
        status: Now.
        before: A document of some seconds ago, for the rates; None: no rates.

    >>> lines = live_lines(StatusDocument("sale", "deploying", uptime_s=3))
    >>> "".join(text for text, _ in lines[0])
    '● sale  deploying  up 3 s'
    """
    rate = rates(status, before)
    return [
        _head(status),
        *_rows(status, rate),
        *([] if status.outcome else _lags(status)),
        *([] if status.outcome else _latencies(status)),
        *_event_time(status),
        _checkpoint(status),
        *_transactions(status),
        *_dropped(status),
        *_unknown(status),
        *_native(status),
        *_origin(status),
        *_restarts(status),
        *([("! ", "fair"), (notices, "fair")] for notices in _bottlenecks(status, rate)),
    ]


def _head(status: StatusDocument) -> Line:
    style = _STATES.get(status.state, "fair")
    facts = [f"up {duration(status.uptime_s)}"]
    facts += [f"attempt {status.attempt}"] if status.attempt > 0 else []
    facts += [status.delivery_guarantee.replace("_", " ")] if status.delivery_guarantee else []
    state = status.outcome or status.state
    return [
        ("● ", style),
        (status.job, "bold"),
        (f"  {state}", style),
        (f"  {'  '.join(facts)}", ""),
    ]


def _labelled(label: str, text: str, style: str = "") -> Line:
    return [(f"  {label:<{LABEL}}", "faint"), (text, style)]


def _rows(status: StatusDocument, rate: Rates) -> Iterator[Line]:
    yield _labelled("read", _flow(status.rows_read, rate.rows_in, rate.bytes_in))
    yield _labelled("written", _flow(status.rows_written, rate.rows_out, rate.bytes_out))


def _flow(rows: int, per_second: float | None, bytes_per_second: float | None) -> str:
    text = f"{count(rows)} rows"
    if per_second is not None:
        text += f"   {count(round(per_second))}/s"
    return f"{text}   {size(bytes_per_second)}/s" if bytes_per_second else text


def _lags(status: StatusDocument) -> Iterator[Line]:
    sources = sorted((s for s in status.steps if s.is_source), key=lambda s: -_rows_left(status, s))
    for index, step in enumerate(sources[:MOST_SOURCES]):
        splits = [each for each in status.splits if each.step == step.name]
        if any(each.lag_rows is not None for each in splits):
            rows = _rows_left(status, step)
            seconds = max((each.lag_seconds or 0.0 for each in splits), default=0.0)
            late = f", {age(seconds)}" if rows and seconds >= 1 and age(seconds) else ""
            text = f"{step.name}  {count(rows)} rows{late}"
            yield _labelled("" if index else "lag", text)
    if len(sources) > MOST_SOURCES:
        yield _labelled("", f"and {len(sources) - MOST_SOURCES} more sources", "faint")


def _latencies(status: StatusDocument) -> Iterator[Line]:
    """Of rows whose event time is near the clock; that of a replay says nothing."""
    known = [each for each in status.latencies if each.p99_s is not None and age(each.p99_s)]
    for index, each in enumerate(known[:MOST_SOURCES]):
        half, nearly_all = short(each.p50_s or 0.0), short(each.p99_s or 0.0)
        text = f"{each.name}  half {half}   99 % {nearly_all}"
        yield _labelled("" if index else "latency", text)


def _rows_left(status: StatusDocument, step: StepStatus) -> int:
    return sum(each.lag_rows or 0 for each in status.splits if each.step == step.name)


def _event_time(status: StatusDocument) -> Iterator[Line]:
    if status.watermark_ms is None and not status.splits:
        return
    holders = [each.split for each in status.splits if each.holds_back and not status.outcome]
    idle = sum(each.idle for each in status.splits)
    parts = [instant(status.watermark_ms, status.at_ms)]
    parts += [f"held back by {listed(holders, 2)}"] if holders and len(status.splits) > 1 else []
    parts += [f"{idle} idle"] if idle else []
    yield _labelled("event time", "   ".join(parts))


def _checkpoint(status: StatusDocument) -> Line:
    told = status.checkpoint
    parts = [str(told.number) if told.number else "none yet"]
    if told.completed:
        parts += [f"took {short(told.duration_s)}", f"{size(told.size_bytes)}"]
        parts += [f"{duration(told.age_s)} ago"] if told.age_s is not None else []
    if told.running is not None and (told.running_s or 0.0) >= 1:
        parts.append(f"{told.running} running for {duration(told.running_s or 0.0)}")
    parts += [f"{told.failed} failed"] if told.failed else []
    return _labelled("checkpoint", "   ".join(parts))


def _transactions(status: StatusDocument) -> Iterator[Line]:
    if not status.open_transactions:
        return
    limit = max((each.limit_s for each in status.transactions), default=0.0)
    oldest = f"oldest {short(status.oldest_transaction_s)}"
    of = f" of {duration(limit)}" if limit else ""
    old = limit and status.oldest_transaction_s > limit / 2
    yield _labelled(
        "transactions", f"{status.open_transactions} open   {oldest}{of}", "bad" if old else ""
    )


def _dropped(status: StatusDocument) -> Iterator[Line]:
    parts = [f"{DROPPED_LABELS[name]} {count(n)}" for name in DROPPED if (n := status.total(name))]
    if parts:
        unfit = any(status.total(name) for name in DROPPED if name not in _MEANT)
        yield _labelled("dropped", "   ".join(parts), "fair" if unfit else "")


def _unknown(status: StatusDocument) -> Iterator[Line]:
    """Fields that no column takes."""
    for step in status.steps:
        if step.unknown_names:
            seen = f"seen at least {count(step.unknown_fields)}"  # JSON is only sampled
            text = f"{step.name}  {fields(step.unknown_names)}   {seen}"
            yield _labelled("unknown", text, "fair")


def _native(status: StatusDocument) -> Iterator[Line]:
    """Whether the native reader reads each source, or why not."""
    told = {(each.step, each.native_reader) for each in status.splits if each.native_reader}
    for index, (step, state) in enumerate(sorted(told)[:MOST_SOURCES]):
        yield _labelled("" if index else "native", f"{step}  native reader: {state}", "faint")


def _origin(status: StatusDocument) -> Iterator[Line]:
    if status.came_from not in {"", "nothing"}:
        text = resumed(status.came_from, status.resumed_at, 1)
        yield _labelled("resumed", text.removeprefix("resumed "))


def _restarts(status: StatusDocument) -> Iterator[Line]:
    if status.restart_count:
        cause = f"   {status.restarts[-1].short}" if status.restarts else ""
        yield _labelled("restarts", f"{status.restart_count}{cause}", "bad")


def _bottlenecks(status: StatusDocument, rate: Rates) -> list[str]:
    notices = list(status.culprits[:MOST_CULPRITS])
    waits = why_waiting(status)
    if rate.rows_in and waits.startswith(FOR_DATA):  # it has just read everything: nothing is slow
        waits = ""
    return (
        [*notices, waits]
        if waits and waits not in notices and len(notices) < MOST_CULPRITS
        else notices
    )
