"""A job under test: started, killed, started again, and its output compared with the answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from raystream.verify.compare import Comparison, compare
from raystream.verify.read import read_json_topic
from raystream.verify.report import report
from tests.support import oracle, points
from tests.support.chaos import JobProcess, until

FULL = os.environ.get("RAYSTREAM_E2E") == "full"
"""The long version: every point, every process, several visits."""

JOBS = Path(__file__).parent / "jobs"
KILLED = -9


@dataclass(frozen=True)
class Input:
    """A topic of requests and the right answer, recomputed from what the topic holds."""

    bootstrap: str
    topic: str

    def answer(self) -> pl.DataFrame:
        rows = read_json_topic(self.bootstrap, self.topic)
        frame = pl.DataFrame(rows, schema={"ts": pl.Int64, "ip": pl.String})
        return oracle.requests_per_minute(frame)


@dataclass
class Job:
    """One job with its own name, output and storage.

    Attributes:
        bootstrap: Where its topics are.
        input: Topic read.
        output: Topic written.
        name: The job.
        home: Its storage, its markers.
        file: Which of `jobs/`.
        where: Arguments that say where it runs, `--local` or nothing.
        environment: Beside this process's own.
        lives: Exit code and seconds of each process that was started by `run`.
    """

    bootstrap: str
    input: str
    output: str
    name: str
    home: Path
    file: str = "per_minute.py"
    where: Sequence[str] = ("--local",)
    environment: dict[str, str] = field(default_factory=dict)
    lives: list[tuple[int, float]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def markers(self) -> Path:
        return self.home / "markers"

    @property
    def storage(self) -> Path:
        return self.home / "storage"

    def start(
        self,
        orders: str = "",
        arguments: Sequence[str] = ("--until", "latest"),
        *,
        storage: Path | None = None,
        **environment: str,
    ) -> JobProcess:
        """The job as a process, with these kills ordered."""
        self.markers.mkdir(parents=True, exist_ok=True)
        started = JobProcess(
            f"{JOBS / self.file}:p",
            [*arguments, *self.where],
            {
                "RAYSTREAM_BOOTSTRAP_SERVERS": self.bootstrap,
                "E2E_INPUT": self.input,
                "E2E_OUTPUT": self.output,
                "E2E_JOB": self.name,
                "E2E_STORAGE": str(storage or self.storage),
                **self.environment,
                **environment,
                **points.environment(orders, self.markers),
            },
        )
        points.note_driver(self.markers, started.pid)
        return started

    def run(
        self,
        orders: Sequence[str] = (),
        *,
        arguments: Sequence[str] = ("--until", "latest"),
        timeout: float = 60.0,
        meanwhile: Callable[[JobProcess], None] | None = None,
        again: int = 3,
        **environment: str,
    ) -> int:
        """Run it; the same command again each time it was killed. Its last exit code.

        Args:
            orders: Kills at points.
            arguments: Of `raystream run`.
            timeout: Seconds for each process.
            meanwhile: Called with each process.
            again: How many kills are allowed beside those that were ordered.
            environment: Of the job.
        """
        for _ in range(len(orders) + again):
            begin = time.monotonic()
            with self.start(";".join(orders), arguments, **environment) as process:
                if meanwhile is not None:
                    meanwhile(process)
                code = process.wait(timeout)
                self.lives.append((code, time.monotonic() - begin))
                self.said.append(process.output())
            if code != KILLED:
                return code
        text = f"killed more often than was ordered: {self.lives}"
        raise AssertionError(text)

    def finish(self, orders: Sequence[str] = (), **options: Any) -> None:
        """Run it to its good end; every order must have been carried out."""
        code = self.run(orders, **options)
        assert code == 0, f"exit code {code}: {self.said[-1][-3000:]}"
        missed = {without_how(order) for order in orders} - set(self.happened())
        assert not missed, f"it never came to {sorted(missed)}: {self.lives}"

    def reached(self, process: JobProcess, order: str, timeout: float = 60.0) -> None:
        """Wait until an order was carried out; the process must not end before."""
        text = without_how(order)
        until(lambda: text in self.happened() or not process.running(), timeout, text)
        assert text in self.happened(), f"it ended before {text}: {process.output()[-3000:]}"

    def happened(self) -> list[str]:
        return points.happened(self.markers)

    def pids(self, process: str) -> list[int]:
        """Processes that were this subtask (`write[0]`), one of a chain's, the coordinator."""
        every = points.processes(self.markers)
        return [pid for name, pid in every if process in {name, name.partition("[")[0]}]

    def compare(self, answer: pl.DataFrame) -> Comparison:
        """The output, read committed to its end, against the answer."""
        rows = read_json_topic(self.bootstrap, self.output)
        return compare(answer, rows, ["ip", "window_start"])

    def check(self, answer: pl.DataFrame) -> None:
        """Exactly once, and nothing hangs."""
        comparison = self.compare(answer)
        assert comparison.same, report(comparison)
        assert comparison.expected > 0
        assert self.hanging() == []

    def hanging(self, seconds: float = 5.0) -> list[str]:
        """Transactions of this job that are open and stay so for some seconds."""
        deadline = time.monotonic() + seconds
        while (left := open_transactions(self.bootstrap, self.name)) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.2)
        return left


def open_transactions(bootstrap: str, job: str) -> list[str]:
    """Ids of the open transactions of a job, as every broker lists them."""
    from kafka import KafkaAdminClient  # warns when imported: only inside tests is that ignored

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        listed: Mapping[Any, Any] = admin.list_transactions(state_filters=["Ongoing"])
        every = [one.transactional_id for found in listed.values() for one in found]
    finally:
        admin.close()
    return sorted(tid for tid in every if tid.startswith(f"{job}."))


def without_how(order: str) -> str:
    """An order as the markers tell it: without `:kill`, `:stop`."""
    return ":".join(order.split(":")[:2])
