"""Subtasks that end and begin again from what they snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raystream.operators.operator import Restored


def restarted(harness: Any, step: Any, tasks: Sequence[Any], attempt: int, width: int) -> list[Any]:
    """Subtasks of another attempt; of another number: each gets the states of all.

    Args:
        harness: The fixture.
        step: What they run.
        tasks: The subtasks of the attempt before.
        attempt: Number of the new one.
        width: How many there will be.
    """
    states = [task.operator.snapshot(1, final=False) for task in tasks]
    same = width == len(tasks)
    return [
        harness(
            step,
            attempt=attempt,
            index=index,
            parallelism=width,
            restored=Restored([states[index]] if same else states, not same),
        )
        for index in range(width)
    ]
