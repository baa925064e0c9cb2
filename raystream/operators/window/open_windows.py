"""How many windows are open: they hold rows, and may still change."""

from __future__ import annotations

import numpy as np

from raystream.operators.window.panes import Assigner, Panes
from raystream.state.keys import Rows


def open_windows(panes: Assigner, held: Rows, after: int) -> int:
    """Number of windows with rows that end after a time; keys are not told apart.

    Args:
        panes: Of the windows.
        held: i64[n]: panes that hold rows, each once, rising.
        after: Windows that end here or earlier are over.

    >>> from raystream.graph.windows import Hopping
    >>> open_windows(Panes(Hopping(size_ms=30, slide_ms=10)), np.array([0, 10, 90]), 15)
    6
    """
    held = held[np.searchsorted(held, panes.horizon(after)) :]
    if panes.single or not len(held):
        return len(held)
    open_, reached = 0, after
    for first, last in _stretches(panes, held):
        begin = max(reached, first)
        reached = max(reached, panes.last_end(last))
        open_ += _ends(panes, begin, reached)
    return open_


def _stretches(panes: Assigner, held: Rows) -> list[tuple[int, int]]:
    """First and last pane of those that follow one another."""
    width = panes.width if isinstance(panes, Panes) else 0
    gaps = np.flatnonzero(np.diff(held) != width) + 1
    firsts, lasts = held[[0, *gaps]], held[[*(gaps - 1), len(held) - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _ends(panes: Assigner, after: int, last: int) -> int:
    """Ends of windows in (after, last]."""
    if isinstance(panes, Panes):
        return (panes.pane_of(last) - panes.pane_of(after)) // panes.width
    number, end = 0, panes.next_end(after)
    while end <= last:
        number, end = number + 1, panes.next_end(end)
    return number
