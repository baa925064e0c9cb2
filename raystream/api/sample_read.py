"""A look at the newest records of a source, decoded as the job would: how many fit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raystream.connectors.base import Chunk, ReadOptions, Split

RECORDS = 200
"""Looked at per split: the newest of a Kafka partition, the first of anything else."""

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found.

    Args:
        looked: Records looked at.
        failed: How many did not decode or fit.
        first: Where the first of them is, and why.
        earliest_ms: Least event time, epoch ms; None: no column holds it, or there was no row.
        latest_ms: Greatest.
    """

    looked: int
    failed: int
    first: str = ""
    earliest_ms: int | None = None
    latest_ms: int | None = None


def look_at(source: Any, options: ReadOptions, job: str, step: str) -> Look:
    """Read some records and leave no trace: no position is published.

    Args:
        source: The source.
        options: Columns, as the plan asks for them.
        job: Name of the job.
        step: Name of the step.

    Raises:
        RaystreamError: the source can not be read.
    """
    from raystream.context import SubtaskContext
    from raystream.ids import SubtaskId
    from raystream.runtime.system_clock import SystemClock

    with ThreadPoolExecutor(1) as pool:
        me = SubtaskId(step, 0)
        ctx = SubtaskContext(job, "00000000", 0, step, me, 1, SystemClock(), pool)
        splits = _splits(source)
        reader = source.reader(ctx, options)
        try:
            chunks = _chunks(reader, splits)
        finally:
            reader.close()
    return _look(chunks, options.event_time)


def _splits(source: Any) -> list[Split]:
    from raystream.connectors.kafka.connection import KafkaTopic

    if isinstance(source, KafkaTopic):
        source = replace(source, starting_offsets="earliest")
    splits: list[Split] = source.discover(bounded=True)
    return [replace(split, start=_near_the_end(split)) for split in splits]


def _near_the_end(split: Split) -> Any:
    start, end = split.start, split.end
    if not isinstance(start, Mapping) or not isinstance(end, Mapping) or "offset" not in start:
        return start
    return {**start, "offset": max(start["offset"], end["offset"] - RECORDS)}


def _chunks(reader: Any, splits: list[Split]) -> list[Chunk]:
    for split in splits:
        reader.add(split)
    found: list[Chunk] = []
    left, deadline = RECORDS * len(splits), time.monotonic() + SECONDS
    while left > 0 and not reader.finished() and time.monotonic() < deadline:
        chunk = reader.poll(min(left, RECORDS))
        if chunk is None:
            time.sleep(0.01)
        else:
            found.append(chunk)
            left -= chunk.frame.height + len(chunk.rejected)
    return found


def _look(chunks: list[Chunk], event_time: str | None) -> Look:
    rejected = [one for chunk in chunks for one in chunk.rejected]
    looked = sum(chunk.frame.height for chunk in chunks) + len(rejected)
    first = f"{rejected[0].origin}: {rejected[0].reason}" if rejected else ""
    frames = [chunk.frame for chunk in chunks if chunk.frame.height]
    if event_time is None or not frames:
        return Look(looked, len(rejected), first)
    times = [frame[event_time] for frame in frames]
    numbers = [t if t.dtype.is_integer() else t.dt.epoch("ms") for t in times]
    least, most = min(n.min() for n in numbers), max(n.max() for n in numbers)  # type: ignore[type-var]
    return Look(looked, len(rejected), first, least, most)  # type: ignore[arg-type]
