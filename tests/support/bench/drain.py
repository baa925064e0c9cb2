"""Draining a topic: CPU and time of further records, and of the first ones; beside Flink."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from tests.support.bench import flink
from tests.support.bench.figure import Figure
from tests.support.bench.lab import Lab, Ran
from tests.support.generator import request_blocks
from tests.support.ray_head import RayHead

PARALLELISM = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """A small and a large drain of the same job.

    Args:
        small: Of `few` records.
        large: Of `many`.
    """

    small: Ran
    large: Ran
    few: int
    many: int

    @property
    def cpu(self) -> float:
        """CPU us per further record, all processes."""
        return (self.large.all_cpu - self.small.all_cpu) * 1e6 / (self.many - self.few)

    @property
    def wall(self) -> float:
        """Seconds per million further records, to the last committed row at a reader."""
        assert self.large.seen is not None
        assert self.small.seen is not None
        return (self.large.seen - self.small.seen) * 1e6 / (self.many - self.few)

    def share(self, title: str) -> float:
        """CPU us per further record of the processes whose title holds this."""
        each = [
            sum(cpu for name, cpu in ran.shares.items() if title in name)
            for ran in (self.large, self.small)
        ]
        return (each[0] - each[1]) * 1e6 / (self.many - self.few)


def marginal(lab: Lab) -> list[Figure]:
    """CPU and time of each record beyond the first ones; Flink in turn, if it may be run."""
    few, many = sizes(lab)
    ours = pair(lab, "requests", lab.requests, few, many)
    title = f"from {few // 1_000_000} to {many // 1_000_000} M records, Ray, parallelism 2"
    windows = (ours.share("tumbling") / PARALLELISM,)
    found = [
        Figure("CPU per further record", (ours.cpu,), "us", beside=title),
        Figure("time per million further records", (ours.wall,), "s"),
        Figure("CPU of each window process per record", windows, "us", 0.085),
    ]
    for name in sorted(set(ours.large.shares)):
        found.append(Figure(f"  of it in {name}", (ours.share(name),), "us"))
    stick = yardstick(lab, few)
    against = (ours.cpu / stick,)
    found.append(Figure("CPU against the yardstick", against, "x", 3, beside=f"{stick:.2f} us"))
    if not lab.flink:
        return found
    for program, target in (("plain", 0.5), ("tuned", 0.6)):
        theirs = _flink_pair(lab, program, lab.requests, few, many)
        said = f"Flink {program} {theirs.cpu:.2f} us, {theirs.wall:.2f} s"
        ratio = (ours.cpu / theirs.cpu,)
        found.append(Figure(f"CPU against Flink {program}", ratio, "x", target, beside=said))
        if program == "plain":
            found.append(_speed("speed against Flink plain", ours, theirs, 1.8))
    return found


def yardstick(lab: Lab, n: int) -> float:
    """CPU us per record of a process that only reads and decodes."""
    command = [sys.executable, "-m", "tests.support.yardstick", lab.broker.bootstrap]
    done = subprocess.run(
        [*command, lab.requests(n), str(n)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def wide(lab: Lab) -> list[Figure]:
    """Records of 1 KiB with 30 fields, of which the job takes 5."""
    few, many = lab.size(200_000, 1_000_000), lab.size(1_000_000, 4_000_000)
    return _other(lab, "records of 1 KiB", "wide", lambda n: _wide_topic(lab, n), few, many)


def small_batches(lab: Lab) -> list[Figure]:
    """A topic of small producer batches: linger 0, 4 partitions in turn."""
    few, many = lab.size(200_000, 1_000_000), lab.size(1_000_000, 5_000_000)

    def topic(n: int) -> str:
        name = f"small-batches-{n}"
        settings = {"linger_ms": 0, "batch_num_messages": 10}
        return lab.topic(name, 4, lambda: request_blocks(n), **settings)

    return _other(lab, "small producer batches", "requests", topic, few, many)


def _other(
    lab: Lab, what: str, kind: str, topic: Callable[[int], str], few: int, many: int
) -> list[Figure]:
    ours = pair(lab, kind, topic, few, many)
    found = [
        Figure(f"{what}: CPU per further record", (ours.cpu,), "us"),
        Figure(f"{what}: time per million further records", (ours.wall,), "s"),
    ]
    if lab.flink:
        theirs = _flink_pair(lab, "plain", topic, few, many)
        found.append(_speed(f"{what}: speed against Flink plain", ours, theirs, 1.5))
    return found


def _speed(name: str, ours: Pair, theirs: Pair, target: float) -> Figure:
    said = f"Flink plain {theirs.cpu:.2f} us, {theirs.wall:.2f} s per million"
    return Figure(name, (theirs.wall / ours.wall,), "x", target, ">=", said)


def _wide_topic(lab: Lab, n: int) -> str:
    """Five numbers and 23 texts beside ts and ip: about 1 KiB as JSON."""
    texts = [pl.lit("x" * 24).alias(f"t{index}") for index in range(22)]
    numbers = [(pl.col("bytes") + index).alias(f"f{index}") for index in range(3)]

    def blocks() -> Iterator[pl.DataFrame]:
        for block in request_blocks(n):
            for part in block.iter_slices(50_000):
                yield part.with_columns(*numbers, *texts)

    return lab.topic(f"wide-{n}", 4, blocks)


def cold(lab: Lab) -> list[Figure]:
    """The first records, from the command to the last committed row: three ways to run."""
    few, _ = sizes(lab)
    source = lab.requests(few)
    theirs = _flink_drain(lab, "plain", source, few) if lab.flink else None
    seconds = {"private Ray": _ours(lab, "requests", source, few).seen}
    with RayHead(2) as head:
        environment = {**lab.environment(), **head.environment}
        for _ in range(2):  # the first run of a head reads everything from disk
            order = lab.order("requests", source, lab.target(), address=None)
            seconds["attached"] = lab.drain(order, few, environment=environment).seen
    seconds["--local"] = _ours(lab, "requests", source, few, local=True).seen
    found = []
    for (how, took), target in zip(seconds.items(), (1.0, 1.5, 2.0), strict=True):
        assert took is not None
        name = f"{few // 1_000_000} M cold, {how}"
        found.append(Figure(name, (took,), "s"))
        if theirs is not None and theirs.seen is not None:
            faster, said = (theirs.seen / took,), f"Flink plain {theirs.seen:.1f} s"
            found.append(Figure(f"{name} against Flink", faster, "x", target, ">=", said))
    return found


def sizes(lab: Lab) -> tuple[int, int]:
    """Records of the small and the large drain."""
    return lab.size(1_000_000, 8_000_000), lab.size(4_000_000, 24_000_000)


def pair(lab: Lab, kind: str, topic: Callable[[int], str], few: int, many: int) -> Pair:
    """A job twice, on two topics."""
    drained = [_ours(lab, kind, topic(n), n) for n in (few, many)]
    return Pair(drained[0], drained[1], few, many)


def _flink_pair(lab: Lab, program: str, topic: Callable[[int], str], few: int, many: int) -> Pair:
    drained = [_flink_drain(lab, program, topic(n), n) for n in (few, many)]
    return Pair(drained[0], drained[1], few, many)


def _flink_drain(lab: Lab, program: str, source: str, wanted: int) -> Ran:
    target = lab.target()
    ran = flink.drained(lab, program, source, target, wanted)
    lab.check(source, target)
    return ran


def _ours(lab: Lab, kind: str, source: str, wanted: int, **more: Any) -> Ran:
    order = lab.order(kind, source, lab.target(), **more)
    ran = lab.drain(order, wanted)
    lab.check(source, order.target)
    return ran
