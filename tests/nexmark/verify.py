"""`scripts/nexmark --verify`: queries from Kafka to Kafka, killed, rescaled, compared with DuckDB.

For each query, topics of four partitions are filled little by little, while its job runs as a
process with checkpoints every 200 ms. The process is killed with SIGKILL at random moments, or just
around a commit, and started again with another parallelism: 1, 2 and 4 in any order. When all
events are there it runs to the end, and the rows must be exactly the right ones: those of append
queries as they are, so that a doubled row shows; those of updating queries after folding by key.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raystream.verify.read import read_json_topic
from tests.nexmark.jobs import PARTITIONED, QUERIES
from tests.nexmark.test_queries import KEYS, difference, lines_of, read_events, rows_of_files
from tests.support import points
from tests.support.broker import Broker
from tests.support.chaos import JobProcess
from tests.support.topics import produce_values

JOBS = Path(__file__).with_name("prefixed.py")
KILLED = -9
FILES = "RAYSTREAM_NEXMARK_FILES"
"""Variable of `prefixed`: where q10 makes the directory with its files."""
PARTITIONS = 4
PIECES = 10
"""Portions in which the events are written."""

STARTED = "create manifest@coordinator:1:mark"
"""A process has come to its first checkpoint."""

COMMIT = ("create manifest@coordinator", "before done@coordinator", "aligned@{query}")
"""Points around a commit at which a process is killed."""

LONGEST_S = 300.0
"""Until a started job has completed a checkpoint, or a bounded one has ended."""


class Failed(Exception):
    """A query that did not come to the right answer."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One query between topics of its own.

    Args:
        query: `q0` to `q23`.
        bootstrap: Of the broker.
        home: Directory of its checkpoints.
        events: Lines of JSON by kind, in order of arrival.
        dice: What is random about it.
        seconds: How long the events are written.
        local: One process without Ray.
    """

    query: str
    bootstrap: str
    home: Path
    events: Mapping[str, Sequence[str]]
    dice: random.Random
    seconds: float
    local: bool

    def run(self, kills: int) -> list[dict[str, Any]]:
        """The rows that are written in the end.

        Raises:
            Failed: the job ended, or did not, where it should not have.
        """
        self.home.mkdir(parents=True)
        widths = [1, 2, 4]
        self.dice.shuffle(widths)
        writer = threading.Thread(target=self._write_all)
        writer.start()
        for number in range(kills):
            self._until_killed(number, widths[number % 3])
        writer.join()
        self._to_the_end(widths[kills % 3])
        return read_json_topic(self.bootstrap, f"{self.query}-nexmark-{self.query}")

    def logged(self) -> list[dict[str, Any]]:
        """The rows of the query's files."""
        return rows_of_files(self.home / "files" / f"nexmark-{self.query}")

    def _write_all(self) -> None:
        for piece in range(PIECES):
            for kind, lines in self.events.items():
                of = lines[len(lines) * piece // PIECES : len(lines) * (piece + 1) // PIECES]
                produce_values(self.bootstrap, f"{self.query}-{kind}", of, partitions=PARTITIONS)
            time.sleep(self.seconds / PIECES)

    def _until_killed(self, number: int, width: int) -> None:
        """One process; it dies at a point of a commit, or at any moment after its first one."""
        order = STARTED
        if self.dice.random() < 0.5:
            at = self.dice.choice(COMMIT).format(query=self.query)
            order += f";{at}:{self.dice.randint(1, 5)}"
        with self._process(number, width, order) as process:
            began = time.monotonic()
            while process.running() and not points.happened(self._markers(number)):
                self._in_time(began, process)
            moment = time.monotonic() + self.dice.uniform(0.0, 2.5)
            while process.running() and time.monotonic() < moment:
                time.sleep(0.002)
            if process.running():
                process.kill()
            code = process.wait(10.0)
            if code != KILLED:
                text = f"ended with {code}, parallelism {width}: {process.output()[-1500:]}"
                raise Failed(text)

    def _to_the_end(self, width: int) -> None:
        with self._process(-1, width, "", "--until", "latest") as process:
            began = time.monotonic()
            while process.running():
                self._in_time(began, process)
            if process.wait(10.0) != 0:
                raise Failed(process.output()[-1500:])

    def _markers(self, number: int) -> Path:
        return self.home / f"markers-{number}"

    def _process(self, number: int, width: int, order: str, *more: str) -> JobProcess:
        markers = self._markers(number)
        markers.mkdir()
        environment = {
            "RAYSTREAM_BOOTSTRAP_SERVERS": self.bootstrap,
            "RAYSTREAM_CHECKPOINT_STORAGE": str(self.home / "store"),
            "RAYSTREAM_CHECKPOINT_INTERVAL": "200ms",
            FILES: str(self.home / "files"),
            **points.environment(order, markers),
        }
        where = ["--local"] if self.local else []
        arguments = [*where, "--parallelism", str(width), *more]
        return JobProcess(f"{JOBS}:{self.query}", arguments, environment)

    def _in_time(self, began: float, process: JobProcess) -> None:
        if time.monotonic() - began > LONGEST_S:
            raise Failed(f"no end after {LONGEST_S:.0f} s: {process.output()[-1500:]}")
        time.sleep(0.05)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify each query, and print a line for it; 1 if one of them is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/nexmark --verify", description=__doc__)
    parser.add_argument("queries", nargs="*", metavar="query", help="q0 to q23; default: all")
    parser.add_argument("--kills", type=int, default=3, help="SIGKILLs per query")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long events are written")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--events", type=Path, help="directory of person.jsonl, auction.jsonl, ..")
    options = parser.parse_args(arguments)
    if options.events is not None and (missing := missing_events(options.events)):
        parser.error(f"--events {options.events}: no {', '.join(missing)} there")
    chosen = options.queries or list(QUERIES)
    if unknown := set(chosen) - set(QUERIES):
        parser.error(f"no such query: {', '.join(sorted(unknown))}")
    files = read_events(options.events)
    print(f"seed {options.seed}, {options.kills} kills\n\n| query | rows | seconds | result |")
    print("|---|--:|--:|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="raystream-nexmark-") as home, Broker.start() as broker:
        wrong = [
            query for query in chosen if not _verified(query, broker, Path(home), files, options)
        ]
    print(f"\nwrong: {', '.join(wrong)}" if wrong else "\nall are right")
    return 1 if wrong else 0


def missing_events(directory: Path) -> list[str]:
    """Files that are not in a directory of events."""
    return [file.name for file in read_events(directory).values() if not file.is_file()]


def _verified(
    query: str, broker: Broker, home: Path, files: Mapping[str, Path], options: argparse.Namespace
) -> bool:
    began = time.monotonic()
    for name in (*files, f"nexmark-{query}"):
        broker.create_topic(f"{query}-{name}", PARTITIONS)
    events = {name: lines_of(file) for name, file in files.items()}
    dice = random.Random(f"{options.seed} {query}")
    local = options.engine == "local"
    trial = Trial(query, broker.bootstrap, home / query, events, dice, options.seconds, local)
    rows: list[dict[str, Any]] = []
    try:
        rows = trial.run(options.kills)
        found = difference(query, rows, files)
        if query in PARTITIONED and not found:
            found = difference(query, trial.logged(), files)
    except Failed as failure:
        found = str(failure)
    how = "folded" if query in KEYS else "as it is"
    result = found.replace("\n", " ").replace("|", "/") or f"equal, {how}"
    print(f"| {query} | {len(rows):,} | {time.monotonic() - began:.0f} | {result} |", flush=True)
    return not found


if __name__ == "__main__":
    sys.exit(main())
