"""From the command to the first record read, and what `validate` costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tests.support import startup
from tests.support.bench.figure import Figure
from tests.support.bench.lab import Lab
from tests.support.ray_head import RayHead

RECORDS = 100_000


def start(lab: Lab) -> list[Figure]:
    """Seconds until the first function of the job has rows."""
    _first(lab, local=True)  # the first transaction of a broker takes seconds
    found = [Figure("to the first record, --local", (_first(lab, local=True),), "s", 1.0)]
    with RayHead(2) as head:
        environment = {**lab.environment(), **head.environment}
        for _ in range(2):  # the first run of a head reads everything from disk
            attached = _first(lab, environment, address=None)
        found.append(Figure("to the first record, attached", (attached,), "s", 2.5))
    found.append(Figure("to the first record, private Ray", (_first(lab),), "s", 6.0))
    return found


def validate(lab: Lab) -> list[Figure]:
    """CPU seconds of `raystream validate`, which a person waits for at each change of a file."""
    del lab
    return [Figure("raystream validate, CPU", (startup.validate_cpu(),), "s", beside="a YAML file")]


def _first(lab: Lab, environment: Mapping[str, str] | None = None, **more: object) -> float:
    source, first = lab.requests(RECORDS), lab.place("first")
    order = lab.order("requests", source, lab.target(), first=str(first), **more)
    began = time.monotonic()
    lab.drain(order, environment=environment)
    return float(Path(first).read_text()) - began
