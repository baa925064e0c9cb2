"""`scripts/bench`: records/s and CPU per record of the base workload, against the yardstick."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import getpid
from typing import TYPE_CHECKING, Any

from tests.support import processes

if TYPE_CHECKING:
    from raystream.observe.status import StatusDocument

PARTITIONS = 4
LIMIT = 3.0
"""The engine stays under this many yardsticks."""


@dataclass(slots=True)
class CpuBook:
    """CPU seconds of every process below this one, sampled while they live.

    A process that ended between two looks counts as it was at the last one.
    """

    seen: dict[tuple[int, int], processes.Process] = field(default_factory=dict)
    jobs: dict[tuple[int, int], str] = field(default_factory=dict)
    rays: set[tuple[int, int]] = field(default_factory=set)

    def look(self) -> None:
        """Note what every process has used so far, and what it ever was for the job.

        A worker waits as `ray::IDLE` before its role and is a nameless zombie after it.
        """
        for one in processes.family(getpid()):
            key = one.pid, one.started
            self.seen[key] = one
            kind = _kind(one)
            if kind == "job":
                self.jobs[key] = "driver" if one.pid == getpid() else one.title
            self.rays |= {key} if kind == "ray" else set()

    def totals(self) -> dict[str, float]:
        """Seconds by kind: `job` (driver, coordinator, subtasks, tasks), `ray`, `other`."""
        found = {"job": 0.0, "ray": 0.0, "other": 0.0}
        for key, one in self.seen.items():
            kind = "job" if key in self.jobs else "ray" if key in self.rays else "other"
            found[kind] += one.cpu
        return found

    def shares(self, before: float) -> str:
        """CPU seconds of the job by what its processes ran; the driver's without `before`."""
        found = {"driver": -before}
        for key, title in self.jobs.items():
            found[title] = found.get(title, 0.0) + self.seen[key].cpu
        return ", ".join(f"{title} {cpu:.1f}" for title, cpu in sorted(found.items()))


def _kind(one: processes.Process) -> str:
    if one.pid == getpid():
        return "job"
    if one.command.startswith("ray::"):
        agents = one.title in ("DashboardAgent", "RuntimeEnvAgent", "IDLE")
        return "ray" if agents else "job"
    return "ray" if "/ray/" in one.command or "raylet" in one.command else "other"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print; 0 if the output is exact and under the limit, else 1.

    Args:
        arguments: Instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--records", type=int, default=16_000_000)
    parser.add_argument("--engine", choices=["ray", "local"], default="ray")
    parser.add_argument("--parallelism", type=int, default=2)
    options = parser.parse_args(arguments)
    from tests.support.broker import Broker
    from tests.support.topics import produce_requests

    with Broker.start(throughput=True) as broker:
        broker.create_topic("requests", PARTITIONS)
        broker.create_topic("counts", PARTITIONS)
        produce_requests(broker.bootstrap, "requests", options.records)
        print(f"{options.records:,} records of 84 bytes in {PARTITIONS} partitions")
        stick = yardstick(broker.bootstrap, options.records)
        print(f"yardstick: {stick:.3f} us CPU per record", flush=True)
        engine = measure(broker.bootstrap, options.engine, options.parallelism, options.records)
        print(f"engine: {engine / stick:.2f} x the yardstick (limit {LIMIT:g})", flush=True)
        exact = check(broker.bootstrap, options.records)
    return 0 if exact and engine <= LIMIT * stick else 1


def yardstick(bootstrap: str, records: int) -> float:
    """CPU microseconds per record of a process that only reads and decodes."""
    command = [sys.executable, "-m", "tests.support.yardstick", bootstrap, "requests"]
    done = subprocess.run([*command, str(records)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure(bootstrap: str, engine: str, parallelism: int, records: int) -> float:
    """Run the main job over all records.

    Returns:
        CPU microseconds per record of the job's processes while rows flow; with the start if the
        run was too short to tell them apart.
    """
    from raystream.api.jobs.run import RunOptions, run

    book = CpuBook()
    book.look()
    before = book.totals()
    clock = _Clock(book)
    with tempfile.TemporaryDirectory(prefix="raystream-bench-") as storage:
        options = RunOptions(
            until="latest",
            local=engine == "local",
            address=None if engine == "local" else "local",
            parallelism=parallelism,
            on_status=clock,
        )
        outcome = run(_pipeline(bootstrap, storage), options)
    book.look()
    used = {kind: seconds - before[kind] for kind, seconds in book.totals().items()}
    print(f"{outcome.kind}, {outcome.restarts} restarts; {clock.rate(records)}")
    job = used["job"] * 1e6 / records
    print(f"{engine}, parallelism {parallelism}: {job:.3f} us CPU per record, start included")
    steady = clock.steady()
    print(clock.NOTHING if steady is None else f"{steady:.3f} us after the start")
    print(f"CPU seconds: {book.shares(before['job'])}")
    print(f"Ray's own processes: {used['ray'] * 1e6 / records:.3f} us more")
    return job if steady is None else steady


def _pipeline(bootstrap: str, storage: str) -> Any:
    import raystream as rs

    kafka = rs.Kafka(bootstrap)
    p = rs.Pipeline("bench", checkpoint_interval="2s", checkpoint_storage=storage)
    (
        p.read(
            kafka.topic("requests", format="json"),
            event_time="ts",
            watermark=rs.Watermark(out_of_orderness="5s"),
        )
        .key_by("ip")
        .window(rs.tumbling("1m"))
        .agg(count=rs.count())
        .write(kafka.topic("counts", format="json"))
    )
    return p


class _Clock:
    """Looks at processes with each status, and notes when rows began and ended to come."""

    NOTHING = "too short for a figure without the start"

    def __init__(self, book: CpuBook) -> None:
        self._book = book
        self._marks: list[tuple[float, int]] = []
        self._cpu: list[tuple[float, int]] = []
        self._restarts = 0

    def __call__(self, status: StatusDocument) -> None:
        self._book.look()
        self._marks.append((time.monotonic(), status.rows_read))
        self._cpu.append((self._book.totals()["job"], status.rows_read))
        if status.restart_count > self._restarts:
            self._restarts = status.restart_count
            print(f"restart {self._restarts}: {status.restarts[-1].cause}", flush=True)

    def steady(self) -> float | None:
        """CPU us per record from the first look that saw rows on; None: there is too little."""
        seen = [(cpu, rows) for cpu, rows in self._cpu if rows > 0]
        if len(seen) < 2 or seen[-1][1] == seen[0][1] or self._restarts:
            return None
        used, rows = seen[-1][0] - seen[0][0], seen[-1][1] - seen[0][1]
        return used * 1e6 / rows

    def rate(self, records: int) -> str:
        """Records per second between the last look without rows and the first with all of them."""
        begin = max((at for at, rows in self._marks if rows == 0), default=self._marks[0][0])
        end = next((at for at, rows in self._marks if rows >= records), self._marks[-1][0])
        seconds = max(end - begin, 1e-9)
        return f"{records / seconds:,.0f} records/s ({seconds:.1f} s from first to last record)"


def check(bootstrap: str, records: int) -> bool:
    """Whether the output is exact."""
    import polars as pl

    from raystream.verify.compare import compare
    from raystream.verify.read import read_json_topic
    from raystream.verify.report import report
    from tests.support.generator import request_blocks
    from tests.support.oracle import requests_per_minute

    rows = pl.concat(block.select("ts", "ip") for block in request_blocks(records))
    found = read_json_topic(bootstrap, "counts")
    comparison = compare(requests_per_minute(rows), found, ["ip", "window_start"])
    print(report(comparison))
    return comparison.same


if __name__ == "__main__":
    sys.exit(main())
