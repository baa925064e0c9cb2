"""A rescale of subtasks whose event time differs: each old state first reaches the latest of them.

Each subtask merges watermarks in its own order of arrival, so one that saw a channel idle for a
moment may be ahead of the others at a barrier. Its event time holds for the rows of all keys:
windows that end before it are closed, for their own keys, before the states are merged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raystream.operators.operator import Operator, Restored, StepState
from raystream.time.watermark import Watermark

_WATERMARK = "watermark"
"""Key in the header of a step that emits rows by event time."""

Remake = Callable[[], Operator]
"""Creates another operator of the step, open, with the same output."""


def is_uneven(restored: Restored) -> bool:
    """Whether states of different event times are merged.

    >>> early, late = (StepState(header={"watermark": time}) for time in (5, 9))
    >>> is_uneven(Restored([early, late], redistribute=True)), is_uneven(Restored([early], True))
    (True, False)
    """
    return restored.redistribute and len({_time(state) for state in restored.states}) > 1


def evened(restored: Restored, remake: Remake) -> Restored:
    """The states as of the latest event time; rows that are due by it are emitted."""
    latest = max(time for state in restored.states if (time := _time(state)) is not None)
    states: list[StepState] = []
    for time in {_time(state): None for state in restored.states}:
        behind = [state for state in restored.states if _time(state) == time]
        states += behind if time == latest else _advanced(behind, latest, remake())
    return Restored(states, redistribute=True)


def _advanced(states: Sequence[StepState], latest: int, operator: Operator) -> list[StepState]:
    operator.restore(Restored(states, redistribute=True))
    operator.on_watermark(Watermark(latest))
    while operator.has_more():
        operator.proceed()
    state = operator.snapshot(0, final=False)
    operator.close()
    return [] if state is None else [state]


def _time(state: StepState) -> int | None:
    time: int | None = state.header.get(_WATERMARK)
    return time
