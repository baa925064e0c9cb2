"""`scripts/bench`: each figure of speed and cost beside its target; 1 if one is missed."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from tests.support.bench.figure import HEADER, Figure, as_json, repeated
from tests.support.bench.flink import class_path
from tests.support.bench.lab import Lab


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that are measured together.

    Args:
        where: `module:function`, in this package: Lab -> list[Figure].
        what: In a few words.
        quick: Whether it is part of `--quick`.
        once: Whether its function repeats by itself.
    """

    where: str
    what: str
    quick: bool = True
    once: bool = False

    def measure(self, lab: Lab) -> list[Figure]:
        """All values of its figures."""
        module, _, function = self.where.partition(":")
        found = getattr(import_module(f"tests.support.bench.{module}"), function)
        return repeated(1 if self.once else lab.times, lambda: found(lab))


GROUPS = {
    "marginal": Group("drain:marginal", "CPU and time of each further record"),
    "wide": Group("drain:wide", "the same for records of 1 KiB", quick=False),
    "small-batches": Group("drain:small_batches", "the same for small producer batches"),
    "cold": Group("drain:cold", "the first records, from the command on"),
    "start": Group("start:start", "from the command to the first record read"),
    "validate": Group("start:validate", "CPU of raystream validate"),
    "checkpoints": Group("ratios:checkpoints", "what checkpoints cost", quick=False),
    "latency": Group("steady:latency", "committed latency of windows of a second"),
    "recovery": Group("recovery:recovery", "output gaps after faults of processes", once=True),
    "nodes": Group("recovery:nodes", "after faults of a node", quick=False, once=True),
    "memory": Group("steady:memory", "memory of the job, and of whom it is"),
    "keys": Group("ratios:keys", "CPU at more keys", quick=False),
    "files": Group("spread:files", "files to files, one and two subtasks"),
    "two-nodes": Group("spread:two_nodes", "two Ray nodes against one", quick=False),
    "idle": Group("steady:idle", "CPU of a job without input"),
    "one-to-one": Group("ratios:one_to_one", "jobs that write a row for each row"),
    "partitions": Group("ratios:partitions", "64 partitions and one, against 4"),
    "exchange": Group("spread:exchange", "the exchange at 100 subtasks"),
    "fan-out": Group("fan_out:fan_out", "a call of the coordinator to all", quick=False),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 if every target is met, else 1.

    Args:
        arguments: Instead of those of the process.
    """
    options = _parser().parse_args(arguments)
    names = options.only or [name for name in GROUPS if GROUPS[name].quick or not options.quick]
    about = _about(options)
    say = print if not options.json else lambda *_, **__: None
    say(f"{about['machine']}, load {about['load']}, {about['date']}", HEADER, sep="\n", flush=True)
    found: list[Figure] = []
    broken: dict[str, str] = {}
    with Lab.open(quick=options.quick, flink=options.flink, times=options.times) as lab:
        if options.flink:
            class_path()  # what it takes to fetch and compile is no part of a figure
        for name in names:
            try:
                figures = GROUPS[name].measure(lab)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the others are still wanted
                broken[name] = traceback.format_exc()
                say(f"{name}: not measured: {error}", flush=True)
                continue
            found += figures
            say("\n".join(one.line() for one in figures), flush=True)
    missed = [one.name for one in found if one.met is False]
    if options.json:
        print(as_json(found, {**about, "load_at_end": _load(), "not_measured": broken}))
    say(f"load at the end {_load()}; {len(missed)} targets missed, {len(broken)} not measured")
    for trace in broken.values():
        say(trace)
    return 1 if missed or broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, each measured once")
    parser.add_argument(
        "--times", type=_positive, metavar="N", help="measure each N times (3; with --quick once)"
    )
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    parser.add_argument("--flink", action="store_true", help="the same job in Flink, in turn")
    names = "; ".join(f"{name}: {group.what}" for name, group in GROUPS.items())
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), metavar="NAME", help=names)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _about(options: argparse.Namespace) -> dict[str, object]:
    return {
        "command": " ".join(["scripts/bench", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "machine": f"{os.cpu_count()} CPUs ({_cpu_model()}), Python {platform.python_version()}",
        "load": _load(),
        "quick": options.quick,
    }


def _load() -> float:
    return round(os.getloadavg()[0], 1)


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if "model name" in line)
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
