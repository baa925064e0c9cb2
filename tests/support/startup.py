"""`scripts/startup`: how long a person waits for a command, each beside its limit.

With `--cpu`, only the CPU seconds of `validate`, beside those of Python and of `import polars`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

FILE = "configs/requests_per_minute.yaml"
RECORDS = 1000
_CPU_HELP = f"only the CPU seconds of validating this file ({FILE})"
_CPU_TIMES = 5
_COMMAND = [sys.executable, "-c", "from raystream.cli.app import main; main()"]
_NAME = "requests-per-minute"
_BROKER = "RAYSTREAM_BOOTSTRAP_SERVERS"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Args:
        what: The command.
        limit: Seconds that it may take on an idle machine.
        seconds: Each time that it was run.
    """

    what: str
    limit: float
    seconds: tuple[float, ...]

    @property
    def good(self) -> bool:
        """Whether the fastest time is within the limit: what is slower had company."""
        return min(self.seconds) <= self.limit

    def line(self) -> str:
        """The figure in the table.

        >>> Figure("raystream --help", 0.2, (0.15, 0.1, 0.3)).line()
        'raystream --help                           0.10      0.15       0.2  yes'
        """
        verdict = "yes" if self.good else "NO"
        best, usual = min(self.seconds), median(self.seconds)
        return f"{self.what:40} {best:6.2f}    {usual:6.2f}    {self.limit:6g}  {verdict}"


HEADER = f"{'seconds':40} {'best':>6}    {'median':>6}    {'limit':>6}  within"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 0 if every figure is within its limit, else 1.

    Args:
        arguments: Instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog="scripts/startup", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="how often each command is run")
    parser.add_argument("--no-runs", action="store_true", help="only what needs no broker")
    parser.add_argument("--cpu", metavar="FILE", nargs="?", const=FILE, help=_CPU_HELP)
    options = parser.parse_args(arguments)
    if options.cpu:
        print_cpu(options.cpu)
        return 0
    print(HEADER)
    with tempfile.TemporaryDirectory(prefix="raystream-startup-") as directory:
        bench = Bench(Path(directory), options.times)
        figures = bench.short()
        if not options.no_runs:
            figures += bench.runs()
    return 0 if all(figure.good for figure in figures) else 1


def print_cpu(file: str) -> None:
    """Print CPU seconds of a command that needs no Polars, beside Python's and Polars' own."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for name, command in {
            "python": [sys.executable, "-c", "pass"],
            "import polars": [sys.executable, "-c", "import polars"],
            f"raystream validate {file}": [*_COMMAND, "validate", file],
        }.items():
            print(f"{_cpu(command, environment):.2f} s  {name}")


def validate_cpu() -> float:
    """CPU seconds of validating `FILE`, with its bytecode written."""
    return _cpu([*_COMMAND, "validate", FILE], os.environ)


def _cpu(command: list[str], environment: Mapping[str, str]) -> float:
    """The least CPU time of some runs; the first writes bytecode and does not count."""
    found = []
    for _ in range(_CPU_TIMES + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found[1:])


class Bench:
    """Runs commands and prints a line for each.

    Args:
        directory: For files.
        times: How often each is run.
    """

    def __init__(self, directory: Path, times: int) -> None:
        self._directory = directory
        self._times = times
        self._count = 0

    def short(self) -> list[Figure]:
        """Verbs that a person waits for while writing a file."""
        file = self._file(_NAME)
        return [
            self._figure("raystream --help", 0.2, lambda: _timed(["--help"])),
            self._figure("raystream validate FILE.yaml", 0.3, lambda: _timed(["validate", file])),
        ]

    def runs(self) -> list[Figure]:
        """From the command to its exit, 1,000 records from Kafka to Kafka."""
        from tests.support.broker import Broker
        from tests.support.ray_head import RayHead
        from tests.support.topics import produce_requests

        with Broker.start() as broker:
            for topic in ("requests", "counts"):
                broker.create_topic(topic, 4)
            produce_requests(broker.bootstrap, "requests", RECORDS)
            here = {**os.environ, _BROKER: broker.bootstrap}
            here.pop("RAY_ADDRESS", None)
            self._run(["--local"], here)  # the first transaction of a broker takes seconds
            found = [self._runs("--local", 1.5, ["--local"], here)]
            with RayHead(os.cpu_count() or 1) as head:
                there = {
                    **here,
                    **head.environment,
                    _BROKER: broker.bootstrap,
                }
                self._run([], there)  # the first processes of a head read everything from disk
                found.append(self._runs("attached", 6, [], there))
            private = {**here, "RAY_TMPDIR": tempfile.mkdtemp(dir="/tmp", prefix="rs-")}
            found.append(self._runs("private Ray", 12, ["--address", "local"], private))
        return found

    def _runs(
        self, what: str, limit: float, more: list[str], environment: Mapping[str, str]
    ) -> Figure:
        name = f"raystream run, {RECORDS:,} records, {what}"
        return self._figure(name, limit, lambda: self._run(more, environment))

    def _run(self, more: list[str], environment: Mapping[str, str]) -> float:
        """A run that no other run knows of."""
        self._count += 1
        name = f"startup-{self._count}"
        storage = str(self._directory / name)
        command = ["run", self._file(name), "--until", "latest", "--checkpoint-storage", storage]
        return _timed([*command, *more], environment)

    def _file(self, name: str) -> str:
        from raystream.config.templates import template

        path = self._directory / f"{name}.yaml"
        path.write_text(template("kafka/kafka", small=True).replace(_NAME, name))
        return str(path)

    def _figure(self, what: str, limit: float, measure: Callable[[], float]) -> Figure:
        figure = Figure(what, limit, tuple(measure() for _ in range(self._times)))
        print(figure.line(), flush=True)
        return figure


def _timed(arguments: list[str], environment: Mapping[str, str] | None = None) -> float:
    """Seconds of a command that must succeed."""
    start = time.monotonic()
    done = subprocess.run(
        [*_COMMAND, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        message = f"raystream {' '.join(arguments)} failed: {done.stderr}"
        raise RuntimeError(message)
    return time.monotonic() - start


if __name__ == "__main__":
    raise SystemExit(main())
