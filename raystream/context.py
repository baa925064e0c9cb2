"""Who a subtask is and what it is given: clock, background executor, named points, counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from raystream.ids import StepName, SubtaskId
from raystream.time.clock import Clock

Points = Callable[[str], None]
"""Called at each named place of the protocol; tests kill or freeze the process there."""

Count = Callable[[str, int], None]
"""`count(name, n)` adds n to a counter of this step: `late_rows`, `dlq_rows`, `future_rows`."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that a step left out, for people: as JSON or raw text, why, and where it came from."""

    row: str
    reason: str = ""
    origin: str = ""


Bound = Callable[[Any], None]
"""Counts a table's memory; what exceeds that of the subtask is spilled (runtime.state)."""

Sample = Callable[[str, Callable[[], Iterable[LeftOut]]], None]
"""`sample(counter, rows)`: a few rows counted there; `rows` is called at most once in a second."""


def nowhere(name: str) -> None:
    """The points of a production run: nothing happens."""


def unbounded(table: Any) -> None:
    """Memory for state has no limit."""


def uncounted(name: str, n: int) -> None:
    """Counters of nobody."""


def unsampled(kind: str, rows: Callable[[], Iterable[LeftOut]]) -> None:
    """Samples for nobody."""


@dataclass(frozen=True, slots=True)
class SubtaskContext:
    """What the engine tells a step in one subtask of one attempt.

    Args:
        job: Name of the job.
        store_id: First 8 hex digits of the uuid made with the job's storage.
        attempt: Number of the attempt, never reused.
        step: Name of the step that is given this context.
        subtask: Chain and index.
        parallelism: Number of subtasks of this chain.
        clock: Time, injected.
        background: For the one blocking request at a time a step may have under way.
        point: Named places where tests may kill.
        count: Counters of this step.
        sample: Takes a few of the rows that this step leaves out.
        origin: The user's file and line of this step.
        keys: Key columns of the rows that this step is given.
        bound: Keeps a table within the memory of this subtask.
        wake: Tells the processing loop that there may be work (any thread may call it).
    """

    job: str
    store_id: str
    attempt: int
    step: StepName
    subtask: SubtaskId
    parallelism: int
    clock: Clock
    background: Executor
    point: Points = nowhere
    count: Count = uncounted
    wake: Callable[[], None] = lambda: None
    sample: Sample = unsampled
    origin: str = ""
    keys: tuple[str, ...] = ()
    bound: Bound = unbounded

    def for_step(self, step: StepName, count: Count, sample: Sample = unsampled) -> SubtaskContext:
        """The same subtask, seen by another step."""
        return replace(self, step=step, count=count, sample=sample)
