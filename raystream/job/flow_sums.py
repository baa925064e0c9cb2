"""Turn the reports of subtasks into the status of chains, splits, transactions and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from raystream.ids import StepName, SubtaskId
from raystream.observe.json_form import from_json
from raystream.observe.silence import longest
from raystream.observe.status import (
    ChainStatus,
    SampleStatus,
    Silence,
    SplitStatus,
    SubtaskStatus,
    TransactionStatus,
)
from raystream.observe.stuck import StuckFunction, by_time
from raystream.plan.physical import ChainSpec, ExchangeKind, PhysicalPlan

Stats = Mapping[str, Any]
Told = Mapping[SubtaskId, Stats]
"""The newest counters of each subtask."""

KEPT_SAMPLES = 5
"""Number of samples kept per step and kind."""

ROWS_FOR_SKEW = 1000
"""Below this many rows in the busiest subtask the skew is not meaningful."""

_KINDS = ("busy_seconds", "backpressured_seconds", "idle_seconds")


def chain_statuses(
    plan: PhysicalPlan, told: Told, before: Told, nodes: Mapping[SubtaskId, str]
) -> tuple[ChainStatus, ...]:
    """Status of every chain: shares of time between the last two pings, event time, state.

    Skew is that of keys: where rows go to any free subtask it means nothing.
    """
    keyed = {each.target for each in plan.exchanges if each.kind is ExchangeKind.HASH}
    found = (_chain(each, told, before, nodes) for each in plan.chains)
    return tuple(each if each.name in keyed else replace(each, skew=None) for each in found)


def _chain(
    chain: ChainSpec, told: Told, before: Told, nodes: Mapping[SubtaskId, str]
) -> ChainStatus:
    subtasks = [
        replace(_subtask(chain, each, told, before), node=nodes.get(each, ""))
        for each in chain.subtasks()
        if each in told
    ]
    if not subtasks:
        return ChainStatus(chain.name)
    silent = any(each.watermark_ms is None for each in subtasks)
    slowest = min(subtasks, key=lambda each: _watermark(each.watermark_ms))
    return ChainStatus(
        chain.name,
        busy=max(each.busy for each in subtasks),
        backpressured=max(each.backpressured for each in subtasks),
        watermark_ms=None if silent else slowest.watermark_ms,
        held_back_by=slowest.held_back_by,
        sink_wait=max(each.sink_wait for each in subtasks),
        skew=skew([each.rows for each in subtasks]),
        state_bytes=sum(each.state_bytes for each in subtasks),
        state_disk_bytes=sum(each.state_disk_bytes for each in subtasks),
        ms_per_row=_ms_per_row(chain, told, before),
        subtasks=tuple(subtasks),
    )


def _ms_per_row(chain: ChainSpec, told: Told, before: Told) -> float | None:
    """Milliseconds per row since the previous report; None: no row arrived."""
    rows, seconds = 0, 0.0
    for subtask in chain.subtasks():
        now, then = told.get(subtask, {}), before.get(subtask, {})
        rows += _rows(chain, now) - _rows(chain, then)
        seconds += now.get("busy_seconds", 0.0) - then.get("busy_seconds", 0.0)
    return round(seconds * 1000 / rows, 4) if rows > 0 and seconds >= 0 else None


def _rows(chain: ChainSpec, stats: Stats) -> int:
    first: Mapping[str, int] = stats.get("steps", {}).get(chain.steps[0].name, {})
    return first.get("rows_out" if chain.source else "rows_in", 0)


def skew(rows: Sequence[int]) -> float | None:
    """The most rows divided by their median; None where that is not meaningful.

    >>> skew([9000, 3000, 3000]), skew([9000]), skew([9, 0])
    (3.0, None, None)
    """
    if len(rows) < 2 or max(rows) < ROWS_FOR_SKEW:
        return None
    return round(max(rows) / max(1.0, median(rows)), 2)


def silences(told: Told) -> tuple[Silence, ...]:
    """Peers that do not answer some subtask, each once, the longest silence first."""
    every = (each for stats in told.values() for each in stats.get("silent", ()))
    return longest(from_json(Silence, each) for each in every)


def stuck_functions(told: Told) -> tuple[StuckFunction, ...]:
    """Functions of the user that do not return, the longest first."""
    every = (stats.get("stuck") for stats in told.values())
    return by_time(from_json(StuckFunction, each) for each in every if each)


def split_statuses(plan: PhysicalPlan, told: Told) -> tuple[SplitStatus, ...]:
    """Every split of every source, by name; the ones that hold back event time are marked."""
    found = [
        _split(chain.source.name, subtask, told[subtask], split)
        for chain in plan.chains
        if chain.source is not None
        for subtask in chain.subtasks()
        if subtask in told
        for split in told[subtask].get("splits", ())
    ]
    return tuple(_marked(sorted(found, key=lambda each: (each.step, natural(each.split)))))


def transaction_statuses(told: Told) -> tuple[TransactionStatus, ...]:
    """Open transactions, oldest first."""
    every = (each for stats in told.values() for each in stats.get("transactions", ()))
    return tuple(
        sorted((from_json(TransactionStatus, each) for each in every), key=lambda t: -t.age_s)
    )


Samples = dict[tuple[StepName, str], tuple[SampleStatus, ...]]


def merged_samples(kept: Samples, told: Iterable[Mapping[str, Any]]) -> Samples:
    """Merge the samples kept so far with new ones: the newest per step and kind."""
    merged = dict(kept)
    for each in told:
        sample = from_json(SampleStatus, each)
        known = merged.get((each["step"], sample.kind), ())
        if sample not in known:
            newest = sorted((*known, sample), key=lambda s: s.at_ms)[-KEPT_SAMPLES:]
            merged[each["step"], sample.kind] = tuple(newest)
    return merged


def _subtask(chain: ChainSpec, subtask: SubtaskId, told: Told, before: Told) -> SubtaskStatus:
    now, then = told[subtask], before.get(subtask, {})
    spent = {kind: now.get(kind, 0.0) - then.get(kind, 0.0) for kind in _KINDS}
    total = sum(spent.values())
    waited = now.get("sink_wait_seconds", 0.0) - then.get("sink_wait_seconds", 0.0)
    busy, backpressured, idle = (_share(spent[kind], total) for kind in _KINDS)
    return SubtaskStatus(
        subtask.index,
        busy,
        backpressured,
        idle,
        sink_wait=_share(waited, total),
        rows=_rows(chain, now),
        watermark_ms=now.get("watermark_out"),
        held_back_by=now.get("held_back_by"),
        state_bytes=now.get("state_bytes", 0),
        state_disk_bytes=now.get("state_disk_bytes", 0),
        busy_s=round(now.get("busy_seconds", 0.0), 3),
        backpressured_s=round(now.get("backpressured_seconds", 0.0), 3),
        idle_s=round(now.get("idle_seconds", 0.0), 3),
        watermark_in_ms=now.get("watermark_in"),
        timers=now.get("timers", 0),
        windows_open=now.get("windows_open", 0),
    )


def _share(part: float, total: float) -> float:
    return round(part / total, 3) if total > 0 else 0.0


def _watermark(mark: int | None) -> float:
    return float("-inf") if mark is None else float(mark)


def _split(
    step: StepName, subtask: SubtaskId, stats: Stats, told: Mapping[str, Any]
) -> SplitStatus:
    lag = stats.get("lag", {}).get(told["split"])
    behind, quiet = told.get("behind_seconds"), told.get("quiet_seconds")
    at_end = lag == 0 or quiet is not None
    return SplitStatus(
        split=told["split"],
        step=step,
        subtask=subtask.index,
        lag_rows=lag,
        lag_seconds=0.0 if behind is not None and at_end else behind,
        watermark_ms=told.get("watermark_ms"),
        idle=bool(told.get("idle")),
        paused=bool(told.get("paused")),
        quiet_seconds=quiet,
        position=told.get("position"),
        silent=told.get("silent", ""),
        silent_seconds=told.get("silent_seconds"),
        native_reader=told.get("native", ""),
        emit_lag_seconds=told.get("emit_lag_seconds"),
    )


def _marked(splits: Sequence[SplitStatus]) -> list[SplitStatus]:
    """Mark what holds event time back: splits without watermark, else the lowest; no idle ones."""
    active = [each for each in splits if not each.idle]
    silent = any(each.watermark_ms is None for each in active)
    low = None if silent else min((each.watermark_ms or 0 for each in active), default=None)
    return [replace(each, holds_back=not each.idle and each.watermark_ms == low) for each in splits]


def natural(name: str) -> tuple[str, int, str]:
    """Sort key that puts requests/10 after requests/9."""
    head, _, tail = name.rpartition("/")
    return (head, int(tail), "") if tail.isdigit() else (name, -1, "")
