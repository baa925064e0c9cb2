"""A job for tests of the runtime: made-up rows, counted per key and second, into files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from raystream.connectors.base import ReadOptions, Split, WriteOptions
from raystream.connectors.datagen import Datagen
from raystream.connectors.files.source import Files
from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.logical import Origin
from raystream.graph.policies import RestartStrategy, WatermarkStrategy
from raystream.graph.windows import Tumbling
from raystream.job.spec import CheckpointSettings, JobSpec
from raystream.plan.physical import ChainSpec, ExchangeKind, ExchangeSpec, PhysicalPlan, StepSpec
from tests import steps

ORIGIN = Origin("job.py", 1)
ROWS = Schema.of({"ts": "int", "key": "string", "value": "int"})
COUNTS = Schema.of({"key": "string", "window_start": "int", "window_end": "int", "n": "int"})
_START = 1_700_000_000_000


def counting(directory: Path, **changes: Any) -> JobSpec:
    """Count rows per key and second.

    Args:
        directory: Takes checkpoints and output.
        changes: rows, rate, parallelism, name, interval, function (of MapBatches, before counting).
    """
    rows, rate = changes.get("rows", 4000), changes.get("rate", 4000.0)
    source = Datagen(rate=rate, rows=rows, partitions=2, cardinality=20, start_ms=_START)
    parallelism = changes.get("parallelism", 1)
    (directory / "out").mkdir(exist_ok=True)
    return JobSpec(
        name=changes.get("name", "counting"),
        plan=_plan(source, directory / "out", parallelism, changes.get("function")),
        checkpoint=CheckpointSettings(
            str(directory / "state"), interval=changes.get("interval", 0.2)
        ),
        splits={"read": tuple(_splits(source, bounded=rows is not None))},
        restart=RestartStrategy(initial=0.1),
        bounded=rows is not None,
        liveness_timeout=2.0,
    )


def written(directory: Path) -> Counter[tuple[str, int, int]]:
    """Output rows that are visible, with how often each is there."""
    found: Counter[tuple[str, int, int]] = Counter()
    for file in (directory / "out").glob("part-*.jsonl"):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            found[row["key"], row["window_start"], row["n"]] += 1
    return found


def expected(job: JobSpec) -> Counter[tuple[str, int, int]]:
    """The answer by other code: plain Python over the generator's rows."""
    counts: Counter[tuple[str, int]] = Counter()
    for row in _rows(job):
        counts[row["key"], row["ts"] // 1000 * 1000] += 1
    return Counter((key, start, n) for (key, start), n in counts.items())


def _rows(job: JobSpec) -> Iterator[dict[str, Any]]:
    read = job.plan.chains[0].steps[0]
    assert isinstance(read.step, steps.Read)
    for split in job.splits["read"]:
        number = int(split.id.rpartition("/")[2])
        options = ReadOptions(ROWS, event_time="ts")
        frame = read.step.source.frame(number, 0, split.end, options)
        yield from frame.drop(TIME, strict=False).iter_rows(named=True)


def _splits(source: Datagen, *, bounded: bool) -> list[Split]:
    return source.discover(bounded=bounded)


def _plan(source: Datagen, out: Path, parallelism: int, function: Any) -> PhysicalPlan:
    read = steps.Read(source, "ts", ROWS, WatermarkStrategy(out_of_orderness_ms=1000))
    counting = steps.WindowAggregate(
        ("key",), Tumbling(1000), {"n": Aggregate(AggregateKind.COUNT)}
    )
    count = steps.WindowGlobal(counting, pre_aggregated=False)
    first = [StepSpec("read", read, (), ROWS, ORIGIN, read=ReadOptions(ROWS, event_time="ts"))]
    if function is not None:
        first.append(
            StepSpec("user", steps.MapBatches(function, schema=ROWS), (ROWS,), ROWS, ORIGIN)
        )
    second = (
        StepSpec("count", count, (ROWS,), COUNTS, ORIGIN),
        StepSpec(
            "write", steps.Write(Files(out)), (COUNTS,), COUNTS, ORIGIN, write=WriteOptions(COUNTS)
        ),
    )
    return PhysicalPlan(
        (
            ChainSpec("read", tuple(first), parallelism),
            ChainSpec("count", second, parallelism),
        ),
        (ExchangeSpec(0, "read", first[-1].name, "main", "count", ExchangeKind.HASH, ("key",)),),
    )


def identity(frame: pl.DataFrame) -> pl.DataFrame:
    """A user's function that changes nothing."""
    return frame
