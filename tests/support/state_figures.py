"""`scripts/state`: what a keyed count costs whose state is larger than its memory, as a table.

One subtask without source, sink and exchange: `.key_by("k").aggregate(n=rs.count())` gets every key
once, and then rows of random keys; a checkpoint is taken whenever one per cent of the keys may have
changed. CPU and the shares of uploads are of the second part; memory is that at its end. Then a new
process restores the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import raystream as rs
from raystream.checkpoint.records import SegmentRef
from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.schema import Schema
from raystream.ids import SubtaskId
from raystream.operators.group_aggregate.operator import GroupAggregate as Counting
from raystream.operators.group_aggregate.step import GroupAggregate
from raystream.operators.operator import Restored, StepState
from raystream.state.memory import StateMemory
from raystream.storage.open import job_store
from raystream.storage.segments import StoredSegments, write_segment
from raystream.storage.spill_directory import SpillDirectory
from raystream.time.clock import VirtualClock
from raystream.units import size_bytes

BATCH = 20_000
"""Rows of a batch, as sources make them."""

LOAD = 100_000
"""Rows of a batch while all keys are loaded."""


@dataclass(slots=True)
class Figures:
    """Of one number of keys.

    Args:
        keys: Number of keys.
        cpu_us: CPU per row, us.
        anonymous: Memory of the process that is no file's, bytes.
        pss: Memory of the process with its share of mapped files, bytes.
        disk: Bytes of state that was spilled.
        state: Bytes of a whole checkpoint.
        uploads: For each checkpoint, its new bytes as a share of all, per share of rows to keys.
        restore_s: Seconds of the restore, in a new process.
    """

    keys: int
    cpu_us: float = 0.0
    anonymous: int = 0
    pss: int = 0
    disk: int = 0
    state: int = 0
    uploads: list[float] = field(default_factory=list)
    restore_s: float = 0.0


class Nobody:
    """An output that drops everything."""

    def emit(self, batch: Batch, tag: str = "") -> None:
        """Drop it."""

    def consumed(self, tag: str) -> bool:
        """The rows count as wanted."""
        return True


class Count:
    """The operator with its memory and its store."""

    def __init__(self, storage: Path, memory: int, spills: SpillDirectory) -> None:
        self._memory = StateMemory(memory, spills.spill, spills.load)
        self._store = job_store(str(storage), "figures")
        columns = Schema({"k": pl.String(), TIME: pl.Int64()})
        step = GroupAggregate(("k",), {"n": rs.count()}, columns=columns)
        self.operator = Counting(step)
        self._stored: dict[str, SegmentRef] = {}
        me = SubtaskId("count", 0)
        where = ("figures", "0" * 8, 0, "count", me, 1, VirtualClock(), ThreadPoolExecutor(1))
        self.operator.open(SubtaskContext(*where, bound=self._bound), Nobody())

    def _bound(self, table: Any) -> None:
        table.bounded_by(self._memory)

    def add(self, numbers: np.ndarray) -> None:
        """Rows of these keys."""
        keys = "user-" + pl.Series(numbers).cast(pl.String) + "-of-many"
        times = pl.repeat(0, len(numbers), dtype=pl.Int64, eager=True)
        self.operator.process(Batch(pl.DataFrame({"k": keys, TIME: times})))

    def checkpoint(self) -> tuple[int, int, StepState]:
        """Upload what is new; bytes of all, and of that."""
        state = self.operator.snapshot(1, final=False)
        assert state is not None
        new = [each for each in state.segments if each.id not in self._stored]
        written = {s.id: write_segment(self._store, 0, "count", 0, s) for s in new}
        known = {**self._stored, **written}
        self._stored = {each.id: known[each.id] for each in state.segments}
        sizes = [ref.size for ref in self._stored.values()]
        return sum(sizes), sum(ref.size for ref in written.values()), state

    def restore(self, header: Any, refs: Sequence[SegmentRef]) -> float:
        """Restore from the store; returns the seconds."""
        began = time.monotonic()
        states = [StepState(StoredSegments(self._store, refs, self._memory.load), header)]
        self.operator.restore(Restored(states, redistribute=False))
        return time.monotonic() - began

    def references(self) -> list[SegmentRef]:
        """Those of the last checkpoint."""
        return list(self._stored.values())


def measure(keys: int, rows: int, memory: int, storage: Path, spills: SpillDirectory) -> Figures:
    """Load all keys, count keys at random, and leave what a restore needs in the storage."""
    count, found = Count(storage, memory, spills), Figures(keys)
    rng = np.random.default_rng(0)
    order = rng.permutation(keys)
    for first in range(0, keys, LOAD):
        count.add(order[first : first + LOAD])
    del order
    count.checkpoint()
    cpu, since, done = 0.0, 0, 0
    while done < rows:
        numbers = rng.integers(0, keys, BATCH)
        began = time.process_time()
        count.add(numbers)
        cpu += time.process_time() - began
        done, since = done + BATCH, since + BATCH
        if since * 100 >= keys:
            whole, new, _ = count.checkpoint()
            found.uploads.append(new / whole * keys / since / 100)
            since = 0
    found.state, _, state = count.checkpoint()
    kept = {"header": dict(state.header), "refs": [asdict(ref) for ref in count.references()]}
    (storage / "kept.json").write_text(json.dumps(kept))
    found.cpu_us = cpu * 1e6 / done
    found.disk = int(count.operator.gauges()["state_disk_bytes"])
    found.anonymous, found.pss = _memory("Anonymous"), _memory("Pss")
    return found


def restored(memory: int, storage: Path, spills: SpillDirectory) -> float:
    """Seconds to restore what `measure` left."""
    kept = json.loads((storage / "kept.json").read_text())
    refs = [SegmentRef(**each) for each in kept["refs"]]
    return Count(storage, memory, spills).restore(kept["header"], refs)


def _memory(what: str) -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each number of keys, each measured in processes of its own."""
    parser = argparse.ArgumentParser(prog="scripts/state", description=__doc__)
    parser.add_argument("--keys", nargs="+", type=int, default=[100_000, 10_000_000, 20_000_000])
    parser.add_argument("--rows", type=int, default=3_000_000, help="counted after the loading")
    parser.add_argument("--memory", default="1GiB", help="state_memory of the subtask")
    parser.add_argument("--directory", help="local disk; default: that for temporary files")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.part:
        return _part(options, *options.part)
    print(
        "| keys | CPU us per row | memory (anonymous) | with mapped pages | on disk | checkpoint |"
        " upload per 1 % of keys: mean, most | restore s |\n|--:|--:|--:|--:|--:|--:|--:|--:|"
    )
    for keys in options.keys:
        with tempfile.TemporaryDirectory(prefix="raystream-state-", dir=options.directory) as at:
            parts = [_run(options, keys, what, at) for what in ("measure", "restore")]
        print(_line(Figures(**{**parts[0], **parts[1]})), flush=True)
    return 0


def _run(options: argparse.Namespace, keys: int, what: str, storage: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.state_figures", "--part", what, storage]
    command += ["--keys", str(keys), "--rows", str(options.rows), "--memory", options.memory]
    ran = subprocess.run(  # noqa: S603 - this very module
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def _part(options: argparse.Namespace, what: str, storage: str) -> int:
    spills, memory = SpillDirectory(Path(storage, "spills"), what), size_bytes(options.memory)
    try:
        if what == "restore":
            answer: dict[str, Any] = {"restore_s": restored(memory, Path(storage), spills)}
        else:
            found = measure(options.keys[0], options.rows, memory, Path(storage), spills)
            answer = {k: v for k, v in asdict(found).items() if k != "restore_s"}
    finally:
        spills.close()
    print(json.dumps(answer))
    return 0


def _line(found: Figures) -> str:
    sizes = (found.anonymous, found.pss, found.disk, found.state)
    mib = " | ".join(f"{size / 2**20:,.0f} MiB" for size in sizes)
    shares = found.uploads or [float("nan")]
    uploads = f"{sum(shares) / len(shares):.1%}, {max(shares):.1%}"
    return (
        f"| {found.keys:,} | {found.cpu_us:.2f} | {mib} | {uploads.replace('%', ' %')} | "
        f"{found.restore_s:.1f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
