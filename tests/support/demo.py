"""`scripts/demo`: the main job, one subtask killed half-way, the answer checked by other code."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raystream.api.jobs.live_view import Memory

if TYPE_CHECKING:
    import polars as pl

    from raystream.api.pipeline import Pipeline
    from raystream.observe.status import StatusDocument

ROWS = 2_000_000
KEYS = 2_000
PER_SECOND = 1_000
"""Rows per second of event time: 2 million are 33 windows of a minute."""

PACE = 75_000
"""Rows per second and source subtask, so that there is something to see, and to kill."""

LINE_S = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if the answer is right, else 1.

    Args:
        arguments: Instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--kafka", action="store_true", help="a real broker instead of files")
    parser.add_argument("--local", action="store_true", help="one process, without Ray or kill")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"input rows (default {ROWS:,})")
    options = parser.parse_args(arguments)
    home = Path(tempfile.mkdtemp(prefix="raystream-demo-"))
    try:
        stage: Stage = KafkaStage(home) if options.kafka else FilesStage(home)
        return _Demo(stage, home, options.rows, local=options.local).run()
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Stage:
    """Where input lies and output goes: files or Kafka."""

    def prepare(self, rows: pl.DataFrame) -> str:
        """Put the input there; says what it did."""
        raise NotImplementedError

    def source(self) -> Any:
        """What the pipeline reads."""
        raise NotImplementedError

    def sink(self) -> Any:
        """What the pipeline writes."""
        raise NotImplementedError

    def output(self) -> list[dict[str, Any]]:
        """Every row that anybody can see now."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop what was started."""


class FilesStage(Stage):
    """Four files of JSON lines, and a directory."""

    def __init__(self, home: Path) -> None:
        self._input = home / "requests"
        self._output = home / "counts"

    def prepare(self, rows: pl.DataFrame) -> str:
        """Write the files."""
        from tests.support.generator import write_files

        paths = write_files(rows, self._input)
        size = sum(path.stat().st_size for path in paths)
        return f"{len(paths)} files of JSON lines, {size / 1e6:.0f} MB"

    def source(self) -> Any:
        """The files."""
        import raystream as rs

        return rs.Files(self._input)

    def sink(self) -> Any:
        """The directory."""
        import raystream as rs

        return rs.Files(self._output)

    def output(self) -> list[dict[str, Any]]:
        """Rows of all visible files."""
        from raystream.verify.read import read_json_files

        return read_json_files(self._output)


class KafkaStage(Stage):
    """Two topics of four partitions on a broker of our own."""

    def __init__(self, home: Path) -> None:
        from tests.support.broker import Broker

        self._broker = Broker.start(directory=home / "kafka")
        for topic in ("requests", "counts"):
            self._broker.create_topic(topic, 4)

    def prepare(self, rows: pl.DataFrame) -> str:
        """Fill the topic."""
        from tests.support.topics import produce

        count = produce(self._broker.bootstrap, "requests", [rows])
        return f"topic requests at {self._broker.bootstrap}, {count:,} records"

    def source(self) -> Any:
        """The topic requests."""
        import raystream as rs

        return rs.Kafka(self._broker.bootstrap).topic("requests", format="json")

    def sink(self) -> Any:
        """The topic counts."""
        import raystream as rs

        return rs.Kafka(self._broker.bootstrap).topic("counts", format="json")

    def output(self) -> list[dict[str, Any]]:
        """What a read_committed consumer sees."""
        from raystream.verify.read import read_json_topic

        return read_json_topic(self._broker.bootstrap, "counts")

    def close(self) -> None:
        """Stop the broker."""
        self._broker.stop()


class _Demo:
    def __init__(self, stage: Stage, home: Path, rows: int, *, local: bool) -> None:
        self._stage = stage
        self._home = home
        self._rows = rows
        self._local = local

    def run(self) -> int:
        from tests.support import generator

        try:
            _say(f"making {self._rows:,} web requests")
            rows = generator.requests(self._rows, keys=KEYS, per_second=PER_SECOND)
            _say(self._stage.prepare(rows))
            outcome, kill = self._job()
            return self._judge(rows, outcome, kill)
        finally:
            self._stage.close()

    def _job(self) -> tuple[Any, Kill]:
        from raystream.api.jobs.run import RunOptions, run

        kill = Kill(self._rows // 2, wanted=not self._local)
        show = Show(kill)
        options = RunOptions(
            until="latest",
            local=self._local,
            address=None if self._local else "local",
            on_status=show,
        )
        started = time.monotonic()
        outcome = run(pipeline(self._stage, self._home), options)
        why = f": {outcome.message}" if outcome.message else ""
        _say(f"{outcome.kind} after {time.monotonic() - started:.1f} s{why}")
        return outcome, kill

    def _judge(self, rows: pl.DataFrame, outcome: Any, kill: Kill) -> int:
        from raystream.verify.compare import compare
        from raystream.verify.report import first_rows, report
        from tests.support.oracle import requests_per_minute

        _say("computing the answer again from the input, by other code")
        found = self._stage.output()
        comparison = compare(requests_per_minute(rows), found, ["ip", "window_start"])
        print(first_rows(found))
        print(report(comparison))
        if kill.wanted and not (kill.done and outcome.restarts):
            print("the job ended before the kill had any effect: no proof", file=sys.stderr)
            return 1
        return 0 if comparison.same and outcome.kind == "finished" else 1


def pipeline(stage: Stage, home: Path) -> Pipeline:
    """The main job of the README, between other ends."""
    import raystream as rs

    p = rs.Pipeline(
        "requests-per-minute",
        checkpoint_interval="1s",
        checkpoint_storage=str(home / "checkpoints"),
    )
    (
        p.read(stage.source(), event_time="ts", name="requests")
        .map_batches(paced, schema={"ts": int, "ip": str}, name="paced")
        .key_by("ip")
        .window(rs.tumbling("1m"), name="per-minute")
        .agg(count=rs.count())
        .write(stage.sink(), name="counts")
    )
    return p


def paced(batch: pl.DataFrame) -> pl.DataFrame:
    """The same rows, not too fast for the eye."""
    time.sleep(batch.height / PACE)
    return batch.select("ts", "ip")


class Kill:
    """SIGKILL to the busiest subtask below this process, once, when enough rows were read."""

    def __init__(self, after: int, *, wanted: bool) -> None:
        self.wanted = wanted
        self.done = False
        self._after = after

    def __call__(self, status: StatusDocument) -> None:
        """Kill if it is time."""
        due = status.rows_read >= self._after and status.checkpoint.number
        if not self.wanted or self.done or not due:
            return
        from tests.support import processes

        victims = processes.subtasks(os.getpid(), [chain.name for chain in status.chains])
        if victims:
            self.done = True
            _say(f"SIGKILL to a subtask of {victims[0].title}, process {victims[0].pid}")
            os.kill(victims[0].pid, signal.SIGKILL)


class Show:
    """One live line on a terminal, a line every 2 s elsewhere; each restart has its own line."""

    def __init__(self, then: Callable[[StatusDocument], None]) -> None:
        self._then = then
        self._memory = Memory()
        self._restarts = 0
        self._next = 0.0

    def __call__(self, status: StatusDocument) -> None:
        """Show this status, then continue with it."""
        from raystream.observe.live_line import live_line

        if status.restart_count > self._restarts:
            self._restarts = status.restart_count
            cause = status.restarts[-1].cause if status.restarts else "unknown"
            _say(f"restart {self._restarts} from checkpoint {status.checkpoint.number}: {cause}")
        line = live_line(status, self._memory.before(status))
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_S
            _say(line)
        self._then(status)


def _say(text: str) -> None:
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}{text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
