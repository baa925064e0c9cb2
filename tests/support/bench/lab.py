"""What all figures share: a broker, topics with known answers, jobs that are watched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import polars as pl

from tests.support.bench.committed import Reader
from tests.support.bench.cpu import CpuBook, Sampler
from tests.support.bench.job import Order
from tests.support.broker import Broker
from tests.support.generator import PARTITIONS, request_blocks
from tests.support.oracle import requests_per_minute
from tests.support.topics import produce

ROOT = Path(__file__).parents[3]

_START_S = 300.0
"""Until a job must run; a machine that others load takes minutes to start a Ray."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that has ended.

    Args:
        wall: Seconds from the command to its exit.
        seen: Seconds from the command to the last committed row at a reader; None: nobody read.
        cpu: CPU seconds: `job` (all its own processes) and `ray` (Ray's).
        shares: CPU seconds of the job by what a process ran.
        statuses: What it told of itself.
        memory: Most PSS at once, MiB, by the same kinds; empty: not looked at.
        lines: Command, PSS and RSS of each process at that moment.
    """

    wall: float
    seen: float | None
    cpu: Mapping[str, float]
    shares: Mapping[str, float]
    statuses: Sequence[Mapping[str, Any]] = ()
    memory: Mapping[str, float] = field(default_factory=dict)
    lines: Sequence[tuple[str, float, float]] = ()

    @property
    def all_cpu(self) -> float:
        """CPU seconds of all processes."""
        return sum(self.cpu.values())


@dataclass(slots=True)
class Lab:
    """Broker, topics and jobs of one run of the table.

    Args:
        broker: Where the topics are.
        home: For files.
        quick: Whether small sizes and one repetition must do.
        flink: Whether Flink may be run as the yardstick.
        asked: How often each figure is to be measured; None: as its size and group say.
    """

    broker: Broker
    home: Path
    quick: bool = False
    flink: bool = False
    asked: int | None = None
    _answers: dict[str, pl.DataFrame] = field(default_factory=dict)
    _count: int = 0

    @classmethod
    @contextmanager
    def open(cls, *, quick: bool, flink: bool, times: int | None = None) -> Iterator[Self]:
        """Start the broker; everything is removed afterwards."""
        home = Path(tempfile.mkdtemp(prefix="rs-bench-", dir="/tmp"))
        try:
            with Broker.start(throughput=True) as broker:
                yield cls(broker, home, quick, flink, times)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    @property
    def times(self) -> int:
        """How often a figure is measured."""
        return self.faults(1, 3)

    def faults(self, quick: int, full: int) -> int:
        """How often a fault is repeated within one measurement."""
        return self.asked or self.size(quick, full)

    def size(self, quick: int, full: int) -> int:
        """A number of records."""
        return quick if self.quick else full

    def requests(self, n: int, *, keys: int = 100_000, partitions: int = PARTITIONS) -> str:
        """A topic with the first n requests; made once."""
        name = f"requests-{n}-{keys}-{partitions}"
        return self.topic(name, partitions, lambda: request_blocks(n, keys=keys))

    def topic(
        self,
        name: str,
        partitions: int,
        frames: Callable[[], Iterator[pl.DataFrame]],
        **settings: str | int,
    ) -> str:
        """A topic with these rows; made once.

        Args:
            name: Of the topic.
            partitions: How many.
            frames: Makes the rows; at least ts and ip are columns.
            settings: Of its producer, as librdkafka calls them with `_` for the dot.
        """
        if name not in self._answers:
            self.broker.create_topic(name, partitions)
            parts = []

            def blocks() -> Iterator[pl.DataFrame]:
                for block in frames():
                    parts.append(requests_per_minute(block.select("ts", "ip")))
                    yield block

            options = {key.replace("_", "."): str(value) for key, value in settings.items()}
            produce(self.broker.bootstrap, name, blocks(), partitions=partitions, security=options)
            keys_of = ["ip", "window_start", "window_end"]
            answer = pl.concat(parts).group_by(keys_of).agg(pl.col("count").sum())
            self._answers[name] = answer
        return name

    def check(self, source: str, target: str) -> None:
        """Whether the committed output is exactly the answer.

        Raises:
            AssertionError: It is not.
        """
        from raystream.verify.compare import compare
        from raystream.verify.read import read_json_topic

        found = read_json_topic(self.broker.bootstrap, target)
        comparison = compare(self._answers[source], found, ["ip", "window_start"])
        if not comparison.same:
            message = f"{source}: the output is not exact: {comparison}"
            raise AssertionError(message)

    def target(self, partitions: int = PARTITIONS) -> str:
        """A new empty topic."""
        self._count += 1
        return self.broker.create_topic(f"counts-{self._count}", partitions)

    def place(self, name: str) -> Path:
        """A new path."""
        self._count += 1
        return self.home / f"{name}-{self._count}"

    def order(self, kind: str, source: str, target: str, **more: Any) -> Order:
        """An order with places of its own."""
        storage, told = str(self.place("storage")), str(self.place("told"))
        return replace(Order(kind, self.broker.bootstrap, source, target, storage, told), **more)

    def drain(self, order: Order, wanted: int = 0, **more: Any) -> Ran:
        """Run a job to the end of its input; `wanted`: what its committed counts add up to."""
        return self.run(command_of(order), order.target if wanted else "", wanted, order, **more)

    def run(
        self,
        command: Sequence[str],
        target: str = "",
        wanted: int = 0,
        order: Order | None = None,
        *,
        memory: bool = False,
        environment: Mapping[str, str] | None = None,
        also: Sequence[int] = (),
    ) -> Ran:
        """Run a command that drains its input, and watch it and its output.

        Args:
            command: What is run.
            target: Topic of its output.
            wanted: Sum of `count` in the committed output; 0: nobody reads.
            order: Of the job, if it is one.
            memory: Whether its memory is looked at.
            environment: Of the command; None: a private Ray can be started in it.
            also: More processes whose families count: a standing Ray.

        Raises:
            RuntimeError: It failed.
        """
        reader = self.reader(target, wanted) if wanted else None
        book, began = CpuBook(()), time.monotonic()
        before: dict[str, float] = {}
        if also:
            standing = CpuBook(tuple(also))
            standing.look()
            before = standing.totals()
        log = self.place("log")
        with log.open("wb") as output:
            child = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                env=dict(environment or self.environment()),
                cwd=ROOT,
            )
        book.roots = (child.pid, *also)
        sampler = Sampler(book, memory)
        sampler.start()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        sampler.close()
        if child.returncode:
            if reader is not None:
                reader.close()
            message = f"{command[:6]} failed: {log.read_text(errors='replace')[-3000:]}"
            raise RuntimeError(message)
        seen = reader.last() - began if reader is not None else None
        cpu = book.totals()
        if not cpu["ray"]:  # one process, or its reaped children: exact
            cpu["job"] = usage.ru_utime + usage.ru_stime
        cpu = {kind: seconds - before.get(kind, 0.0) for kind, seconds in cpu.items()}
        told = () if order is None else statuses(order)
        return Ran(wall, seen, cpu, book.shares(), told, sampler.most, sampler.lines)

    def reader(self, target: str, wanted: int = 0) -> Reader:
        """A read_committed reader that is ready."""
        return Reader(self.broker.bootstrap, target, wanted)

    def environment(self) -> dict[str, str]:
        """That of a command which starts a private Ray, unseen by any other."""
        rays = ("RAY_", "RAYSTREAM_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(rays)}
        return {**clean, "RAY_TMPDIR": str(self.home), "PYTHONPATH": str(ROOT)}

    @contextmanager
    def running(
        self, order: Order, environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A job without end; stopped by SIGTERM, after a last commit."""
        log = self.place("log")
        with log.open("wb") as output:
            child = subprocess.Popen(
                command_of(order),
                stdout=output,
                stderr=output,
                env=dict(environment or self.environment()),
                cwd=ROOT,
            )
        try:
            _wait_running(order, child, log)
            yield child
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def command_of(order: Order) -> list[str]:
    """The command that runs it."""
    return [sys.executable, "-m", "tests.support.bench.job", json.dumps(asdict(order))]


def statuses(order: Order) -> list[dict[str, Any]]:
    """What a job has told of itself so far."""
    try:
        return [json.loads(line) for line in Path(order.told).read_text().splitlines()]
    except OSError:
        return []


def _wait_running(order: Order, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not any(one["state"] == "running" for one in statuses(order)):
        if child.poll() is not None or time.monotonic() > deadline:
            message = f"the job does not run: {log.read_text(errors='replace')[-3000:]}"
            raise RuntimeError(message)
        time.sleep(0.1)
