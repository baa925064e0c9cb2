"""The card of a job for notebooks: one status document as HTML, in the order of the questions.

Health, throughput, bottleneck, event time, checkpoints, dropped rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from raystream.observe.html import (
    BAD,
    CALM,
    FAINT,
    FAIR,
    GOOD,
    bar,
    code,
    columns,
    dot,
    faint,
    section,
    table,
    text,
)
from raystream.observe.live_lines import DROPPED_LABELS
from raystream.observe.rates import Rates, rates
from raystream.observe.status import (
    DROPPED,
    ChainStatus,
    CheckpointEntry,
    SplitStatus,
    StatusDocument,
)
from raystream.observe.waiting import why_waiting
from raystream.observe.words import age, count, duration, instant, percent, resumed, short, size

MOST_SPLITS = 8
MOST_SAMPLES = 6

_STATES = {"running": GOOD, "stopping": FAIR, "recovering": FAIR, "deploying": FAIR, "failing": BAD}
_ENDS = {"finished": GOOD, "stopped": GOOD, "failed": BAD, "superseded": FAIR, "cancelled": FAIR}


def card(status: StatusDocument, before: StatusDocument | None = None) -> str:
    """HTML of a job for `_repr_html_`: self-contained, no script, everything escaped.

    Args:
        status: Now.
        before: An earlier document of the same run, for the rates; None: no rates.

    >>> "Health" in card(StatusDocument("sale", "running"))
    True
    """
    frame = (
        "border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:8px 12px;max-width:860px;"
        "font-family:system-ui,-apple-system,Segoe UI,sans-serif;font-size:13px;line-height:1.45;"
        "color:inherit;background:transparent;text-align:left"
    )
    sections = (
        _head(status),
        section("Health", _health(status)),
        section("Throughput and lag", _throughput(status, rates(status, before))),
        section("Bottleneck", _bottleneck(status)),
        section("Event time", _event_time(status)),
        section("Checkpoints", _checkpoints(status)),
        section("Dropped rows", _dropped(status)),
    )
    return f'<div style="{frame}">{"".join(sections)}</div>'


def _head(status: StatusDocument) -> str:
    shown = status.outcome or status.state
    colour = _ENDS.get(shown, _STATES.get(shown, FAINT))
    facts = [f"up {duration(status.uptime_s)}", f"attempt {status.attempt}"]
    facts += [status.delivery_guarantee.replace("_", " ")] if status.delivery_guarantee else []
    facts += [f"parallelism {status.parallelism}"] if status.parallelism else []
    facts += [f"raystream {status.raystream_version}"] if status.raystream_version else []
    name = text(status.job, "font-weight:600;font-size:15px")
    state = text(shown, f"color:{colour}")
    return f"<div>{dot(colour)} {name} {state} {faint(' · '.join(facts))}</div>"


def _health(status: StatusDocument) -> Iterator[str]:
    if status.message:
        lines = "<br>".join(code(line) for line in status.message.splitlines()[:10])
        yield lines
    if status.restart_count:
        last = status.restarts[-1] if status.restarts else None
        told = last is None or last.cause in status.message  # a failed job says it above
        cause = "" if last is None or told else f"; last cause: {last.cause}"
        counted = "1 restart" if status.restart_count == 1 else f"{status.restart_count} restarts"
        yield text(f"{counted}{cause}", f"color:{BAD}")
        if last and not told and len(last.lines) > 1:
            yield "<br>".join(code(line) for line in last.lines[1:])
    elif status.outcome is None:
        yield text("no restarts")
    for each in status.transactions[:2]:
        limit = f" of {duration(each.limit_s)}" if each.limit_s else ""
        colour = BAD if each.limit_s and each.age_s > each.limit_s / 2 else "inherit"
        words = f"{each.state} transaction, {count(each.rows)} rows, {short(each.age_s)}{limit}: "
        yield text(words, f"color:{colour}") + code(each.name or each.step)
    yield from (faint(note) for note in status.notes if note not in status.culprits)


def _throughput(status: StatusDocument, rate: Rates) -> Iterator[str]:
    read, written = _flow(status.rows_read, rate.rows_in), _flow(status.rows_written, rate.rows_out)
    sizes = ""
    if status.bytes_read or status.bytes_written:
        sizes = faint(f" ({size(status.bytes_read)} in, {size(status.bytes_written)} out)")
    yield f"{text(f'{read} in → {written} out')}{sizes}"
    for step in status.steps:
        if step.is_source:
            yield _lag(step.description or step.name, status, step.name)


def _flow(rows: int, per_second: float | None) -> str:
    return count(rows) if per_second is None else f"{count(rows)} ({count(round(per_second))}/s)"


def _lag(name: str, status: StatusDocument, step: str) -> str:
    splits = [each for each in status.splits if each.step == step]
    rows = [each.lag_rows for each in splits if each.lag_rows is not None]
    seconds = [each.lag_seconds for each in splits if each.lag_seconds is not None]
    if not rows:
        return ""
    late = f", {age(max(seconds))}" if seconds and sum(rows) and age(max(seconds)) else ""
    return text(f"lag of {name}: {count(sum(rows))} rows{late}")


def _bottleneck(status: StatusDocument) -> Iterator[str]:
    yield from (text(words, f"color:{FAIR};font-weight:600") for words in status.culprits)
    rows = [_chain(each, status) for each in status.chains if each.subtasks]
    yield table(["chain", "busy · waits · idle", "", "most/median", "state"], rows)


def _chain(chain: ChainStatus, status: StatusDocument) -> list[str]:
    steps = " → ".join(step.name for step in status.steps if step.chain == chain.name)
    worst = max(chain.subtasks, key=lambda each: each.busy)
    shares = [
        (worst.busy, BAD if worst.busy >= 0.8 else CALM, f"busy {percent(worst.busy)}"),
        (worst.backpressured, FAIR, f"waits {percent(worst.backpressured)}"),
    ]
    words = " · ".join(percent(each) for each in (worst.busy, worst.backpressured, worst.idle))
    return [
        text(f"{chain.name} × {len(chain.subtasks)}") + (f" {faint(steps)}" if steps else ""),
        bar(shares),
        text(words),
        text(_skew(chain)),
        text(_state(chain)),
    ]


def _skew(chain: ChainStatus) -> str:
    """How uneven its rows are, and which subtask has the most."""
    if chain.skew is None:
        return ""
    most = max(chain.subtasks, key=lambda each: each.rows)
    return f"{chain.skew:.1f} at [{most.index}]"


def _state(chain: ChainStatus) -> str:
    there = size(chain.state_bytes) if chain.state_bytes else ""
    spilled = f"{size(chain.state_disk_bytes)} on disk" if chain.state_disk_bytes else ""
    return " + ".join(filter(None, (there, spilled)))


def _event_time(status: StatusDocument) -> Iterator[str]:
    if status.watermark_ms is not None:
        yield text(f"watermark {instant(status.watermark_ms, status.at_ms)}")
    yield text(why_waiting(status))
    shown = sorted(
        status.splits, key=lambda each: (each.idle, not each.holds_back, each.watermark_ms or 0)
    )
    running = status.outcome is None
    rows = [_split(each, status.at_ms, running=running) for each in shown[:MOST_SPLITS]]
    yield table(["split", "event time", "lag", ""], rows)
    if len(shown) > MOST_SPLITS:
        yield faint(f"and {len(shown) - MOST_SPLITS} more")


def _split(split: SplitStatus, now_ms: int, *, running: bool) -> list[str]:
    say = faint if split.idle else text
    lag = "" if split.lag_rows is None else f"{count(split.lag_rows)} rows"
    held = split.holds_back and running
    why = "idle" if split.idle else "delays the watermark" if held else ""
    if split.paused and running:
        why = "waits for its group"
    if split.silent and running:
        why = f"{split.silent} does not answer"
    return [
        say(split.split),
        say(instant(split.watermark_ms, now_ms)),
        say(lag),
        text(why, f"color:{FAIR}") if held else faint(why),
    ]


def _checkpoints(status: StatusDocument) -> Iterator[str]:
    checkpoint = status.checkpoint
    if not checkpoint.number:
        yield text("no checkpoint yet")
    else:
        age = "" if checkpoint.age_s is None else f", {duration(checkpoint.age_s)} ago"
        took = f"took {short(checkpoint.duration_s)}: commit {short(checkpoint.commit_s)}"
        sizes = f"{size(checkpoint.size_bytes)}, new {size(checkpoint.new_bytes)}"
        done = f"; {took}; {sizes}" if checkpoint.completed else ""
        yield text(f"checkpoint {checkpoint.number}{age}{done}")
    yield _bars(checkpoint.history)
    failed = [each for each in checkpoint.history if each.state == "failed"]
    yield from (
        text(f"checkpoint {each.number} failed: {each.reason}", f"color:{BAD}")
        for each in failed[-2:]
    )
    kept = [each.savepoint for each in checkpoint.history if each.savepoint]
    yield from (f"{text('savepoint ')}{code(address)}" for address in kept[-2:])
    if status.came_from:
        yield faint(_started(status))
    if status.storage:
        yield code(status.storage)


def _started(status: StatusDocument) -> str:
    text = resumed(status.came_from, status.resumed_at)
    return text[:1].upper() + text[1:]


def _bars(history: tuple[CheckpointEntry, ...]) -> str:
    longest = max((each.duration_s or 0.0 for each in history), default=0.0)
    if len(history) < 2 or not longest:
        return ""
    colours = {"completed": CALM, "failed": BAD}
    return columns(
        [
            ((each.duration_s or 0.0) / longest, colours.get(each.state, FAIR), _times(each))
            for each in history
        ]
    )


def _times(entry: CheckpointEntry) -> str:
    parts = {
        "align": entry.align_s,
        "sync": entry.sync_s,
        "flush": entry.flush_s,
        "upload": entry.upload_s,
        "commit": entry.commit_s,
    }
    known = [f"{name} {short(value)}" for name, value in parts.items() if value is not None]
    return f"checkpoint {entry.number} {entry.state}: {', '.join(known)}"


def _dropped(status: StatusDocument) -> Iterator[str]:
    counts = [f"{DROPPED_LABELS[name]} {count(n)}" for name in DROPPED if (n := status.total(name))]
    if not counts:
        yield text("nothing")
        return
    yield text(", ".join(counts))
    samples = [(step.name, each) for step in status.steps for each in step.samples]
    newest = sorted(samples, key=lambda each: -each[1].at_ms)[:MOST_SAMPLES]
    yield table(
        ["", "step", "row", "why"],
        [
            [
                text(DROPPED_LABELS.get(each.kind, each.kind)),
                text(step),
                code(each.row),
                faint(" · ".join(words for words in (each.reason, each.origin) if words)),
            ]
            for step, each in newest
        ],
    )
