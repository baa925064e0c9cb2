"""How long a run on a private Ray stands still when a process of Ray dies or freezes; prints it.

The job makes up rows and commits once a second; a part of its Ray is killed (or stopped), and the
clock runs to the next commit. `interval + 15 s` is what is promised for a machine with time to
spare.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.chaos import JobProcess, send, until
from tests.support.processes import RAY_PARTS, coordinators, family, ray_part

INTERVAL = 1.0
LIMIT = INTERVAL + 15.0
PATIENCE = 150.0

_JOB = """
import raystream as rs

p = rs.Pipeline("private", checkpoint_interval="1s", checkpoint_storage="{place}/state")
(p.read(rs.Datagen(rate=2000, cardinality=50))
  .key_by("key").window(rs.tumbling("1s")).agg(n=rs.count())
  .write(rs.Files("{place}/out")))
"""


def main() -> None:
    """Print a line for each death; exit 1 if one took longer than the limit."""
    told = argparse.ArgumentParser(prog="scripts/ray-deaths", description=__doc__)
    told.add_argument("--freeze", action="store_true", help="stop the parts instead")
    told.add_argument("--parts", nargs="*", default=list(RAY_PARTS))
    told.add_argument("--limit", type=float, default=LIMIT, help="seconds")
    arguments = told.parse_args()
    number = signal.SIGSTOP if arguments.freeze else signal.SIGKILL
    slow = False
    for part, steps in deaths(arguments.parts, number):
        text = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items())
        print(f"{part}: {text}", flush=True)
        slow = slow or max(steps.values()) > arguments.limit
    sys.exit(1 if slow else 0)


def deaths(parts: list[str], number: signal.Signals) -> Iterator[tuple[str, dict[str, float]]]:
    """Seconds from the signal to each step of the way back, for each part in turn."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        file = place / "job.py"
        file.write_text(_JOB.format(place=place))
        with JobProcess(f"{file}:p", (), {"HOME": directory}) as process:
            for part in parts:
                commit_again(place, process)
                commit_again(place, process)
                yield part, _death(place, process, part, number)


def _death(place: Path, process: JobProcess, part: str, number: signal.Signals) -> dict[str, float]:
    words, old = process.output().count("Ray died ("), {one.pid for one in family(process.pid)}
    attempt, committed = newest(place, "attempt-"), newest(place, "done-")
    began = time.monotonic()
    assert send(ray_part(process.pid, part), number)

    def again() -> bool:
        return newest(place, "attempt-") > attempt

    steps: dict[str, Callable[[], bool]] = {
        "told": lambda: process.output().count("Ray died (") > words,
        "control service": lambda: _new(process.pid, old, "gcs_server"),
        "raylet": lambda: _new(process.pid, old, "raylet"),
        "coordinator": lambda: any(c.pid not in old for c in coordinators(process.pid)),
        "attempt": again,
        "commit": lambda: newest(place, "done-") > committed and again(),
    }
    seconds = {}
    for name, reached in steps.items():
        _wait(process, reached, name)
        seconds[name] = time.monotonic() - began
    return seconds


def _wait(process: JobProcess, reached: Callable[[], bool], name: str) -> None:
    until(lambda: reached() or not process.running(), PATIENCE, name)


def _new(root: int, old: set[int], part: str) -> bool:
    try:
        return ray_part(root, part).pid not in old
    except LookupError:
        return False


def newest(place: Path, prefix: str) -> int:
    """The greatest number of an object of the job with this prefix."""
    return max((int(p.name[-10:]) for p in (place / "state").glob(f"private/{prefix}*")), default=0)


def commit_again(place: Path, process: JobProcess) -> None:
    """Wait for another commit."""
    before = newest(place, "done-")
    until(lambda: newest(place, "done-") > before or not process.running(), PATIENCE, "commit")


if __name__ == "__main__":
    main()
