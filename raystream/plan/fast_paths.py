"""Which fast paths the steps of a plan take and miss, in the order of the plan, for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raystream.operators.fast_path import FastPath, missed, taken
from raystream.plan.physical import PhysicalPlan, StepSpec


@dataclass(frozen=True, slots=True)
class PlannedPath:
    """A fast path that a step of the plan takes or misses.

    Args:
        step: Name of the step.
        path: What it is.
        where: The user's line of the step.
    """

    step: str
    path: FastPath
    where: str

    def __str__(self) -> str:
        """As a line of `explain`; the user's line only where there is something to change."""
        if self.path.taken:
            return f"fast: {self.step}: {self.path.what}"
        place = f" ({self.where})" if self.where else ""
        return f"slow: {self.step}: {self.path.what}{place}"


def fast_paths(plan: PhysicalPlan) -> list[PlannedPath]:
    """Those of all steps.

    Args:
        plan: What is to run.
    """
    return [
        PlannedPath(spec.name, path, str(spec.origin))
        for _, spec in plan.steps()
        for path in (*_of_read(spec), *spec.step.fast_paths())
    ]


def summary(plan: PhysicalPlan) -> str:
    """All of them in one line for the start of a run; empty if there are none.

    Args:
        plan: What is to run.
    """
    found = fast_paths(plan)
    parts = []
    for word, is_taken in (("fast", True), ("slow", False)):
        mine = [f"{each.path.what} ({each.step})" for each in found if each.path.taken is is_taken]
        if mine:
            parts.append(f"{word}: {', '.join(mine)}")
    return "; ".join(parts)


def _of_read(spec: StepSpec) -> Iterator[FastPath]:
    """Of the columns that a source decodes; nothing where they are not known yet."""
    read = spec.read
    if read is None:
        return
    every, decoded = len(read.record), len(set(read.schema.columns) & set(read.record))
    if not read.schema.open and decoded < every:
        yield from taken(f"{decoded} of {every} columns are decoded")
    if read.row_order:
        yield from missed("each row carries its place, for an aggregate of the first or last row")
