"""Fewer rows in the place of those of open windows, from which the same result is made.

The first rows of a window are all that its first rows are made of. A function of two rows is called
for the rows that event time has passed, once they are all there, and what it gives is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from raystream.data.batch import ORDER, TIME
from raystream.operators.changing.groups import ALL, NUMBER, numbers
from raystream.operators.session.columns import REACH, START
from raystream.operators.window.panes import PANE, WINDOW_END, WINDOW_START, Assigner
from raystream.operators.window_apply.columns import ARRIVAL
from raystream.operators.window_apply.ended import Ended
from raystream.operators.window_apply.step import WindowApply
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.state.time_table import TimeTable

LEAST = 4_096
"""Rows that are kept in any case; then it is looked at them whenever they have doubled."""

Grouping = Callable[[pl.DataFrame], Rows | None]
"""Numbers of the windows of rows, -1: not known; None: of none."""


class Fewer:
    """Replaces the rows of open windows.

    Args:
        step: Says by which; see its method `fewer`.
        grouping: Which rows are in one window, or in one pane of several.
        watermark: No row of this event time or before is expected.
    """

    def __init__(self, step: WindowApply, grouping: Grouping, watermark: Callable[[], int]) -> None:
        self._step, self._grouping, self._watermark = step, grouping, watermark
        self._due = LEAST

    def replace(self, table: TimeTable) -> None:
        """Do it, if they have doubled, and all are in memory."""
        if len(table) <= self._due or table.disk_bytes():
            return
        parts = list(table.select(-(2**62), 2**62, len(table)))
        if not parts:
            return
        rows = pl.concat(parts)
        place = [ORDER] if ORDER in rows.columns else []
        rows = rows.sort(TIME, *place, ARRIVAL)
        groups = self._grouping(rows)
        if groups is not None:
            numbered = rows.with_columns(pl.Series(NUMBER, groups, pl.Int64()))
            left = self._of_windows(numbered.filter(pl.col(NUMBER) >= 0))
            if left is not None:
                others = numbered.filter(pl.col(NUMBER) < 0)
                table.clear()
                table.append(pl.concat([left, others]).drop(NUMBER))
        self._due = max(LEAST, 2 * len(table))

    def _of_windows(self, rows: pl.DataFrame) -> pl.DataFrame | None:
        left: pl.DataFrame | None = self._step.fewer(rows, NUMBER, self._watermark())
        return None if left is None or 10 * left.height > 9 * rows.height else left


def of_panes(panes: Assigner, keys: Sequence[str]) -> Grouping:
    """Rows of one key and pane."""
    by = [*(keys or [ALL]), PANE]
    return lambda rows: numbers(rows.with_columns(panes.pane()), by)


def of_sessions(
    sessions: Callable[[], KeyedTable | None], ended: Ended, keys: Sequence[str], gap: int
) -> Grouping:
    """Rows of one open session."""
    by = list(keys or [ALL])

    def grouping(rows: pl.DataFrame) -> Rows | None:
        table = sessions()
        if table is None or table.disk_bytes():
            return None
        known = table.scan().select(*by, START, REACH)
        if [known.schema[key] for key in by] != [rows.schema[key] for key in by]:
            return None
        who = numbers(pl.concat([known.select(by), rows.select(by)]), by)
        found = _within(known, who[: known.height], rows, who[known.height :], gap)
        at = np.flatnonzero(found >= 0)
        windows = known.rename({START: WINDOW_START, REACH: WINDOW_END})
        left = ended.without(windows, found[at], rows[at])
        if left is not None:
            found[at[~left]] = -1
        return found

    return grouping


def _within(known: pl.DataFrame, whose: Rows, rows: pl.DataFrame, who: Rows, gap: int) -> Rows:
    """Number of the session that each row is in, -1 if it is in none."""
    start, reach = known[START].to_numpy(), known[REACH].to_numpy()
    times = rows[TIME].to_numpy()
    key = np.concatenate([whose, who])
    at = np.concatenate([start, times])
    is_row = np.concatenate([np.zeros(len(start), np.int8), np.ones(len(times), np.int8)])
    order = np.lexsort((is_row, at, key))
    last = np.where(is_row[order] == 0, order, -1)
    last = np.maximum.accumulate(np.where(last >= 0, np.arange(len(order)), -1))
    found = np.full(len(times), -1)
    rank = np.flatnonzero(is_row[order])
    row = order[rank] - len(start)
    session = np.where(last[rank] >= 0, order[last[rank]], -1)
    good = session >= 0
    good[good] &= whose[session[good]] == who[row[good]]
    good[good] &= times[row[good]] + gap <= reach[session[good]]
    found[row[good]] = session[good]
    return found
