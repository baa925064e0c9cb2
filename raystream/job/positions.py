"""Where the sources are, in a checkpoint: whether a job gets on is told by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raystream.checkpoint.records import Checkpoint, Restore

Positions = Mapping[str, Mapping[str, Any]]
"""Step -> split -> position, as the source writes it."""


def positions(base: Checkpoint | Restore | None) -> Positions:
    """The positions of all sources, whichever subtask reads a split.

    Args:
        base: A checkpoint, or what a job starts from; None: nothing.
    """
    found: dict[str, dict[str, Any]] = {}
    for step, states in (base.steps if base is not None else {}).items():
        for state in states:
            of_state = state.header.get("positions")
            if isinstance(of_state, Mapping):
                found.setdefault(step, {}).update(of_state)
    return found
