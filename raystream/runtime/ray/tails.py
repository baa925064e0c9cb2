"""Rows that pass a step, gathered from its subtasks for one request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray

from raystream.ids import StepName, SubtaskId
from raystream.runtime.tail import Row, TailMarks

_ANSWER_SECONDS = 2.0
_get: Any = ray.get


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
