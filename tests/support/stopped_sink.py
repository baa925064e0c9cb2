"""`scripts/stopped-sink`: memory of a job before, while and after its sink stands still.

Rows are made as fast as the job takes them, and counted by key. For a while the sink has no room,
so everything before it must wait. Memory is the sum over all processes of the job, pages that they
share in proportion (Pss).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import raystream as rs
from raystream.checkpoint.records import Committable
from raystream.connectors.base import CommitterContext, WriteOptions
from raystream.context import SubtaskContext
from raystream.ids import StepName
from tests.support import processes

FLAT = 1.1
"""Memory may grow by so much while the sink stands still, after what was under way has arrived."""

SETTLE_S = 5.0
FLOW_S = 8.0
"""For how long rows flow before the stop."""

START_S = 120.0


@dataclass(frozen=True, slots=True)
class Stopping:
    """A sink that drops its rows, and has no room for a while, some time after the first ones.

    Args:
        seconds: For how long.
        mark: A file that tells when it begins, epoch seconds.
    """

    seconds: float
    mark: str

    @property
    def takes_upserts(self) -> bool:
        """It takes all rows alike."""
        return True

    def check(self, job: str, store_id: str, step: StepName) -> list[str]:
        """There are no warnings."""
        return []

    def writer(self, ctx: SubtaskContext, options: WriteOptions) -> StoppingWriter:
        """A writer for one subtask."""
        return StoppingWriter(self)

    def committer(self, ctx: CommitterContext) -> None:
        """There is no second phase."""

    def describe(self) -> str:
        """For people."""
        return "a sink that stops"


class StoppingWriter:
    """Drops the rows."""

    def __init__(self, sink: Stopping) -> None:
        self._sink = sink
        self._first: float | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Drop them."""
        if self._first is None:
            self._first = time.time() + FLOW_S
            Path(self._sink.mark).write_text(str(self._first))

    def has_room(self) -> bool:
        """Not while it stands still."""
        first = self._first
        return first is None or not first <= time.time() < first + self._sink.seconds

    def prepare(self, checkpoint: int, *, final: bool) -> Future[Committable | None]:
        """Nothing was written."""
        done: Future[Committable | None] = Future()
        done.set_result(None)
        return done

    def committed(self, checkpoint: int) -> None:
        """Nothing to do."""

    def poll(self, now: float) -> float | None:
        """Ask again soon whether there is room."""
        return now + 0.05

    def oldest_transaction_age_s(self) -> float:
        """There is none."""
        return 0.0

    def transactions(self) -> Sequence[Any]:
        """There are none."""
        return ()

    def close(self) -> None:
        """Nothing to release."""


def job(sink: Stopping, keys: int) -> rs.Pipeline:
    """A count by key and second of endless rows."""
    p = rs.Pipeline("stopped-sink", checkpoint_interval="2s")
    rows = p.read(rs.Datagen(rate=None, partitions=2, cardinality=keys), event_time="ts")
    rows.key_by("key").window(rs.tumbling("1s")).agg(n=rs.count()).write(sink)
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the memory before, at the begin and end of the stop, and after it; 0 if it is flat."""
    parser = argparse.ArgumentParser(prog="scripts/stopped-sink", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the stop")
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument("--mark", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    local = options.engine == "local"
    if options.mark:
        sink = Stopping(options.seconds, options.mark)
        job(sink, options.keys).run(local=local, address=None if local else "local")
        return 0
    with tempfile.TemporaryDirectory(prefix="raystream-stopped-") as storage:
        running = _started(sys.argv[1:] if arguments is None else arguments, storage)
        try:
            first = _marked(Path(storage, "mark"))
            return _watched(running, first, first + options.seconds)
        finally:
            running.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                running.wait(60)
            running.kill()


def _started(arguments: Sequence[str], storage: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.stopped_sink", *arguments]
    command += ["--mark", f"{storage}/mark"]
    variables = {"RAYSTREAM_CHECKPOINT_STORAGE": storage, "POLARS_MAX_THREADS": "1"}
    return subprocess.Popen(  # noqa: S603 - this very module
        command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL
    )


def _marked(mark: Path) -> float:
    """When the sink stops."""
    until = time.monotonic() + START_S
    while not mark.exists() or not mark.read_text():
        if time.monotonic() > until:
            raise SystemExit("the job did not start")
        time.sleep(0.1)
    return float(mark.read_text())


def _watched(running: subprocess.Popen[bytes], first: float, last: float) -> int:
    moments = {
        "before": first - 1.0,
        f"{SETTLE_S:.0f} s after the stop": first + SETTLE_S,
        "at its end": last - 0.5,
        "5 s after it": last + 5.0,
    }
    found = {}
    for name, moment in moments.items():
        time.sleep(max(0.0, moment - time.time()))
        found[name] = _memory(running.pid)
        print(f"{name:>20}: {found[name] / 2**20:,.0f} MiB", flush=True)
    begin, end = list(found.values())[1:3]
    flat = 0 < begin and end <= begin * FLAT
    print("flat" if flat else f"grown by {end / max(1, begin) - 1:.0%}")
    return 0 if flat else 1


def _memory(root: int) -> int:
    total = 0
    for one in processes.family(root):
        with suppress(OSError):
            text = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
            total += 1024 * int(text.partition("\nPss:")[2].split()[0])
    return total


if __name__ == "__main__":
    sys.exit(main())
