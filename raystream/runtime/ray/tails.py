"""Rows that pass a step, gathered from its subtasks for one request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import ray

from raystream.errors import ConfigurationError
from raystream.graph.nearest import did_you_mean
from raystream.ids import StepName, SubtaskId
from raystream.job.spec import JobSpec
from raystream.plan.physical import ChainSpec
from raystream.runtime.tail import Mark, Row

_ANSWER_SECONDS = 2.0
_get: Any = ray.get

TailMarks = dict[SubtaskId, Mark | None]
"""Read position in each subtask."""


def tappable(chains: Iterable[ChainSpec]) -> list[StepName]:
    """Steps whose rows can be viewed."""
    return [name for chain in chains for step in chain.steps for name in (step.name, *step.also)]


def check(job: JobSpec, step: StepName) -> None:
    """Refuse a step that the job does not have.

    Raises:
        ConfigurationError: names the nearest one.
    """
    known = tappable(job.plan.chains)
    if step not in known:
        what = f"job {job.name} has no step {step!r}"
        raise ConfigurationError(what, what_to_do=did_you_mean(step, known))


def gather(
    subtasks: Mapping[SubtaskId, Any], step: StepName, marks: TailMarks
) -> tuple[list[Row], TailMarks]:
    """Rows of every subtask that answers, and the marks for the next request.

    Args:
        subtasks: Handles of the subtasks that run the step.
        step: Its name.
        marks: Result of the last request; empty: the first one, which only starts picking rows.
    """
    refs = {s: handle.tail.remote(step, marks.get(s)) for s, handle in subtasks.items()}
    if refs:
        ray.wait(list(refs.values()), num_returns=len(refs), timeout=_ANSWER_SECONDS)
    rows: list[Row] = []
    seen = dict(marks)
    for subtask, ref in refs.items():
        try:
            found, seen[subtask] = _get(ref, timeout=0)
        except ray.exceptions.RayError:  # busy, or exiting: next time
            continue
        rows += found
    return rows, seen
