"""`scripts/nexmark`: events/s and CPU per event of each query, as a table.

Blackhole: the events are made in the sources and the result is dropped, so that the engine alone
is measured, and the generator with it. Kafka: from three topics with four partitions to a fourth,
exactly once, a checkpoint every 2 s, with a broker that is started here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from ends import Blackhole, Generated
from events import SCHEMAS, Events
from generator import EPOCH, OF_EPOCH, Generator
from jobs import QUERIES, on_kafka, write

import raystream as rs
from raystream.api.jobs.run import RunOptions, run
from raystream.observe.status import StatusDocument
from tests.support import processes

_AGENTS = ("DashboardAgent", "RuntimeEnvAgent", "IDLE")
PARTITIONS = 4
BLOCK = 10_000
"""Epochs that are written to Kafka at once."""

SHORTEST_S = 2.0
"""Between the first rows and the last: a status is up to half a second late with either."""


@dataclass(slots=True)
class Meter:
    """Events and CPU of all processes of a job, as its status shows them.

    Attributes:
        used: CPU seconds of this process, and of Ray's workers below it while they were some.
        seen: Seconds, CPU seconds and rows read, at each look.
    """

    used: dict[tuple[int, int], float] = field(default_factory=dict)
    seen: list[tuple[float, float, int]] = field(default_factory=list)

    def __call__(self, status: StatusDocument) -> None:
        """Look."""
        for one in processes.family(os.getpid()):
            key = one.pid, one.started
            worker = one.command.startswith("ray::") and one.title not in _AGENTS
            if one.pid == os.getpid() or worker or key in self.used:
                self.used[key] = one.cpu
        self.seen.append((time.monotonic(), sum(self.used.values()), status.rows_read))

    def result(self, events: int) -> tuple[float, float] | None:
        """Events per second, and CPU us per event, between the first rows and the last.

        None: the run was over too soon to tell.
        """
        first = next((n for n, each in enumerate(self.seen) if each[2]), None)
        last = next((n for n, each in enumerate(self.seen) if each[2] >= events), None)
        if first is None or last is None:
            return None
        (began, cpu, before), (ended, used, rows) = self.seen[first], self.seen[last]
        if ended - began < SHORTEST_S or rows <= before:
            return None
        return (rows - before) / (ended - began), (used - cpu) * 1e6 / (rows - before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each query, and print a line for it; 0 if all of them could be measured."""
    parser = argparse.ArgumentParser(prog="scripts/nexmark", description=__doc__)
    parser.add_argument("--queries", nargs="+", choices=list(QUERIES), default=list(QUERIES))
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--ends", choices=["blackhole", "kafka"], default="blackhole")
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--parallelism", type=int, default=1)
    options = parser.parse_args(arguments)
    print(
        f"{options.events:,} events, {options.ends}, {options.engine}, {options.parallelism} wide"
    )
    print("| query | events read | events/s | CPU us per event |\n|---|--:|--:|--:|", flush=True)
    short = []
    with _ends(options.ends, options.events) as pipeline_of:
        for query in options.queries:
            line, measured = _line(query, pipeline_of(query), options)
            short += [] if measured else [query]
            print(line, flush=True)
    if short:
        print(f"too few events for {', '.join(short)}: give more --events", file=sys.stderr)
    return 1 if short else 0


def _line(query: str, pipeline: rs.Pipeline, options: argparse.Namespace) -> tuple[str, bool]:
    """The line of a query, and whether it could be measured."""
    sources = [n.name for n in pipeline.graph().nodes if n.step.source is not None]
    kinds = [name for name in sources if name in OF_EPOCH]
    events = sum(options.events // EPOCH * OF_EPOCH[kind][1] for kind in kinds)
    meter = Meter()
    with tempfile.TemporaryDirectory(prefix="raystream-nexmark-") as storage:
        outcome = run(
            pipeline,
            RunOptions(
                until="latest",
                local=options.engine == "local",
                address=None if options.engine == "local" else "local",
                checkpoint_storage=storage,
                parallelism=options.parallelism,
                on_status=meter,
            ),
        )
    if outcome.kind != "finished":
        raise SystemExit(f"{query}: {outcome.kind}: {outcome.message}")
    found = meter.result(events)
    if found is None:
        return f"| {query} | {events:,} | over before it was measured | |", False
    return f"| {query} | {events:,} | {found[0]:,.0f} | {found[1]:.2f} |", True


@contextmanager
def _ends(kind: str, events: int) -> Iterator[Callable[[str], rs.Pipeline]]:
    """What makes the pipeline of a query between these ends."""
    if kind == "blackhole":
        yield lambda query: _to_nowhere(query, events)
        return
    from tests.support.broker import Broker

    home = tempfile.TemporaryDirectory(prefix="raystream-nexmark-")
    with home as directory, Broker.start(throughput=True) as broker:
        for name in (*SCHEMAS, *(f"nexmark-{query}" for query in QUERIES)):
            broker.create_topic(name, PARTITIONS)
        for name in SCHEMAS:
            _fill(broker.bootstrap, name, events)
        os.environ["RAYSTREAM_BOOTSTRAP_SERVERS"] = broker.bootstrap
        yield partial(on_kafka, directory=directory)


def _to_nowhere(query: str, events: int) -> rs.Pipeline:
    p = rs.Pipeline(f"nexmark-{query}", checkpoint_interval="2s")
    made = QUERIES[query](Events(p, lambda kind: Generated(kind, events, PARTITIONS)))
    write(query, made, Blackhole())
    return p


def _fill(bootstrap: str, kind: str, events: int) -> None:
    """The events of a kind as JSON; each partition has every fourth record."""
    from tests.support.topics import produce

    columns = rs.Schema.of(SCHEMAS[kind]).columns
    starts = range(0, events // EPOCH, BLOCK)
    blocks = (np.arange(first, min(first + BLOCK, events // EPOCH)) for first in starts)
    frames = (Generator().frame(kind, block, columns) for block in blocks)
    produce(bootstrap, kind, frames, partitions=PARTITIONS)


if __name__ == "__main__":
    sys.exit(main())
