"""A job run in this process to its end, or to a stop in the middle; its storage as text.

`python -m tests.formats_on_disk.kept JOB` writes v1/JOB.json: run it once, for a new job.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raystream.connectors.collect import Collect
from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.job.spec import CheckpointSettings, JobSpec
from raystream.plan.learning import learn_functions
from raystream.plan.planner import plan, reads, used
from raystream.runtime.local import LocalRuntime
from raystream.storage.memory import MemoryStore
from raystream.testing.feed import _Inline
from raystream.time.clock import VirtualClock
from tests.formats_on_disk.jobs import JOBS

V1 = Path(__file__).parent / "v1"
WALL_MS = 2_000_000_000_000
WIDTH = 2

Rows = dict[str, list[dict[str, Any]]]


def run(
    name: str, store: MemoryStore, stop_after: int | None = None, width: int = WIDTH
) -> tuple[Outcome, Rows]:
    """One run of a job: to its end, or stopped after so many steps; what it wrote."""
    sinks: dict[str, Collect] = {}
    pipeline = JOBS[name](lambda label: sinks.setdefault(label, Collect()))
    graph = pipeline.graph()
    known = {node.name: node.step.source for node in reads(graph)}  # type: ignore[union-attr]
    learnt = {step: source.learn() for step, source in known.items()}
    learnt |= learn_functions(used(graph), learnt, {}, _first_rows, strict=False)
    splits = {step: tuple(source.discover(bounded=True)) for step, source in known.items()}
    planned = plan(graph, width, learnt)
    checkpoint = CheckpointSettings("memory://kept", 1.0)
    job = JobSpec(pipeline.name, planned, checkpoint, splits, bounded=True)
    clock = VirtualClock(wall_ms=WALL_MS)
    runtime = LocalRuntime(job, clock=clock, background=_Inline(), store=store)
    steps = 0
    while runtime.loop.outcome is None:
        steps += 1
        if steps == stop_after:
            runtime.loop.request_stop(StopKind.STOP)
        clock.advance(runtime.step() or 0.01)
    runtime.close()
    return runtime.loop.outcome, {label: sink.rows() for label, sink in sinks.items()}


def _first_rows(node: Any) -> Any:
    from raystream.api.samples.sample_read import first_rows
    from raystream.connectors.base import ReadOptions

    time = None if node.step.event_time is None else str(node.step.event_time)
    return first_rows(node.step, ReadOptions(node.step.schema, time), "kept", node.name)


def write(name: str, stop_after: int) -> None:
    """Keep a checkpoint of a job that was stopped in the middle, and what it wrote until then."""
    store = MemoryStore(name)
    outcome, before = run(name, store, stop_after)
    assert outcome.kind == "stopped", outcome
    objects = {key: base64.b64encode(store.get(key) or b"").decode() for key in store.list("")}
    _, whole = run(name, MemoryStore("whole"))
    print(outcome.rows_in, {n: (len(r), len(whole[n])) for n, r in before.items()})
    kept = {"objects": objects, "before": before, "whole": whole}
    (V1 / f"{name}.json").write_text(json.dumps(kept) + "\n")


def kept(name: str) -> tuple[MemoryStore, Rows, Rows]:
    """The storage of the stopped job, what it had written, and what it writes as a whole."""
    found: Mapping[str, Any] = json.loads((V1 / f"{name}.json").read_text())
    store = MemoryStore(name)
    for key, text in found["objects"].items():
        store.create(key, base64.b64decode(text))
    return store, found["before"], found["whole"]


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
