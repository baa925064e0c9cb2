"""Which windows are emitted at once: memory stays near the size of the state.

A row of the state is in many windows when these overlap, so emitting all that end now would take
many times the state. Slices are ranges of window ends that take about SLICE_ROWS rows; a single
window with more keys than that is emitted in parts of its keys.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from raystream.operators.window.panes import Assigner

SLICE_ROWS = 100_000
"""Partials that are merged at once."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Windows that end in (after, until]; their panes are in [low, until).

    Keys are assigned to `part` of `parts` by ranges of their hash.
    """

    after: int
    until: int
    low: int
    part: int = 0
    parts: int = 1


def slices(
    panes: Assigner,
    counts: Sequence[tuple[int, int]],
    after: int,
    until: int | None,
    *,
    only: Sequence[int] | None = None,
    by_key: bool,
) -> Iterator[Slice]:
    """Slices of the windows that have rows, by rising end.

    Args:
        panes: Of the window.
        counts: Rows by pane, rising.
        after: Windows that end here or earlier are omitted.
        until: Last end; None: all.
        only: Only windows with one of these panes, rising; None: all with rows.
        by_key: Whether there are keys to divide a large window by.
    """
    begin, begun, rows = after, after, 0
    low: int | None = None
    for end, first, count in _ends(panes, counts, after, until, only):
        if low is not None and rows + count > SLICE_ROWS:
            yield from _parts(Slice(begin, begun, low), rows, by_key=by_key)
            begin, rows, low = begun, 0, None
        low = first if low is None else low
        begun, rows = end, rows + count
    if low is not None:
        yield from _parts(Slice(begin, begun, low), rows, by_key=by_key)


def _parts(whole: Slice, rows: int, *, by_key: bool) -> Iterator[Slice]:
    parts = -(-rows // SLICE_ROWS) if by_key else 1
    for part in range(parts):
        yield Slice(whole.after, whole.until, whole.low, part, parts)


def _ends(
    panes: Assigner,
    counts: Sequence[tuple[int, int]],
    after: int,
    until: int | None,
    only: Sequence[int] | None,
) -> Iterator[tuple[int, int, int]]:
    """Ends of windows that have rows, the first pane of each, and its number of rows."""
    starts = [pane for pane, _ in counts]
    sums = [0, *accumulate(count for _, count in counts)]
    wanted = starts if only is None else only
    end = panes.next_end(after)
    while until is None or end <= until:
        first = panes.first_pane(end)
        at = bisect_left(wanted, first)
        if at == len(wanted):
            return
        if wanted[at] >= end:  # no row before: the next window with one
            end = panes.next_end(wanted[at])
            continue
        yield end, first, sums[bisect_left(starts, end)] - sums[bisect_left(starts, first)]
        end = panes.next_end(end)
