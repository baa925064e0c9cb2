"""Sample the newest records of a source, decoded as the job would, and count how many fit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from raystream.connectors.base import Chunk, ReadOptions, Split
    from raystream.operators.step import Step

RECORDS = 200
"""Records sampled per split: the newest of a Kafka partition, the first of anything else."""

SECONDS = 10.0

FIRST = 1000
"""Rows of a split used to learn the return types of functions."""


@dataclass(frozen=True, slots=True)
class Look:
    """Result of sampling a source.

    Args:
        looked: Records sampled.
        failed: How many did not decode or fit.
        first: Where the first of them is, and why.
        earliest_ms: Least event time, epoch ms; None: no column holds it, or there was no row.
        latest_ms: Greatest.
        numbers: Both as they are written, if they are numbers.
        unknown: Fields that no column takes, and how often they were seen.
    """

    looked: int
    failed: int
    first: str = ""
    earliest_ms: int | None = None
    latest_ms: int | None = None
    numbers: tuple[float, float] | None = None
    unknown: Mapping[str, int] = field(default_factory=dict)


def look_at(
    read: Step,
    options: ReadOptions,
    job: str,
    step: str,
    *,
    records: int = RECORDS,
    seconds: float = SECONDS,
) -> Look:
    """Read some records without side effects: no position is published.

    Args:
        read: The options of the source.
        options: Columns, as the plan needs them.
        job: Name of the job.
        step: Name of the step.
        records: Records per split.
        seconds: Maximum time.

    Raises:
        RaystreamError: the source cannot be read.
    """
    splits = _splits(read.source, records)
    chunks = _chunks_of(read.source, options, job, step, splits, records=records, seconds=seconds)
    unknown = sum((Counter(chunk.unknown) for chunk in chunks), Counter[str]())
    return replace(_look(chunks, read), unknown=dict(unknown))


def _chunks_of(
    source: Any,
    options: ReadOptions,
    job: str,
    step: str,
    splits: list[Split],
    *,
    records: int = RECORDS,
    seconds: float = SECONDS,
) -> list[Chunk]:
    from raystream.context import SubtaskContext
    from raystream.ids import SubtaskId
    from raystream.runtime.system_clock import SystemClock

    with ThreadPoolExecutor(1) as pool:
        me = SubtaskId(step, 0)
        ctx = SubtaskContext(job, "00000000", 0, step, me, 1, SystemClock(), pool)
        reader = source.reader(ctx, options)
        try:
            return _chunks(reader, splits, records, seconds)
        finally:
            reader.close()


def first_rows(read: Step, options: ReadOptions, job: str, step: str) -> pl.DataFrame | None:
    """The first rows there are, with their hidden columns; None if there are none.

    Args:
        read: The options of the source; no position is published.
        options: All its columns.
        job: Name of the job.
        step: Name of the step.
    """
    import polars as pl

    from raystream.api.samples.sample_ends import SampledSource
    from raystream.data.batch import TIME

    sampled = SampledSource(read.source)
    splits = sampled.discover(bounded=True)
    chunks = _chunks_of(sampled, options, job, step, splits, records=FIRST)
    frames = [chunk.frame for chunk in chunks if chunk.frame.height]
    if not frames:
        return None
    frame = pl.concat(frames, how="vertical")
    if TIME in frame.columns:
        return frame
    return frame.with_columns(_times(read, frame).fill_null(0).alias(TIME))


def _times(read: Step, frame: pl.DataFrame) -> pl.Series:
    from raystream.data.schema import Schema
    from raystream.operators.event_times import times_of

    return times_of(read, Schema(frame.schema)).of(frame).times


def _splits(source: Any, records: int) -> list[Split]:
    from raystream.connectors.kafka.source import KafkaSource

    if isinstance(source, KafkaSource):
        source = replace(source, starting_offsets="earliest")
    splits: list[Split] = source.discover(bounded=True)
    return [replace(split, start=_near_the_end(split, records)) for split in splits]


def _near_the_end(split: Split, records: int) -> Any:
    start, end = split.start, split.end
    if not isinstance(start, Mapping) or not isinstance(end, Mapping) or "offset" not in start:
        return start
    return {**start, "offset": max(start["offset"], end["offset"] - records)}


def _chunks(reader: Any, splits: list[Split], records: int, seconds: float) -> list[Chunk]:
    for split in splits:
        reader.add(split)
    found: list[Chunk] = []
    left, deadline = records * len(splits), time.monotonic() + seconds
    while left > 0 and not reader.finished() and time.monotonic() < deadline:
        chunk = reader.poll(min(left, records))
        if chunk is None:
            time.sleep(0.01)
        else:
            found.append(chunk)
            left -= chunk.frame.height + len(chunk.rejected)
    return found


def _look(chunks: list[Chunk], step: Step) -> Look:
    rejected = [one for chunk in chunks for one in chunk.rejected]
    looked = sum(chunk.frame.height for chunk in chunks) + len(rejected)
    first = f"{rejected[0].origin}: {rejected[0].reason}" if rejected else ""
    frames = [chunk.frame for chunk in chunks if chunk.frame.height]
    if step.event_time is None or not frames:
        return Look(looked, len(rejected), first)
    from raystream.data.schema import Schema
    from raystream.operators.event_times import times_of

    times = times_of(step, Schema(frames[0].schema))
    timed = [times.of(frame) for frame in frames]
    failed, values, numbers = len(rejected), [], []
    for one in timed:
        bad = one.times.is_null().arg_true().to_list()
        failed += len(bad)
        first = first or (one.reason(bad[0]) if bad else "")
        values += one.times.drop_nulls().to_list()
        if one.values.dtype.is_numeric():
            numbers += one.values.drop_nulls().to_list()
    if not values:
        return Look(looked, failed, first)
    written = (float(min(numbers)), float(max(numbers))) if numbers else None
    return Look(looked, failed, first, min(values), max(values), written)
