"""Sessions that are over: a later one may surround rows of theirs, which are kept for a while."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL
from raystream.operators.session.columns import REACH, START
from raystream.operators.tables import StateTable
from raystream.operators.window.panes import WINDOW_END, WINDOW_START
from raystream.operators.window_apply.columns import ARRIVAL
from raystream.state.keys import Mask, Rows
from raystream.state.time_table import TimeTable

_NEXT = f"{HIDDEN}next_arrival"
_WHO, _ROW = f"{HIDDEN}session", f"{HIDDEN}row"


class Ended:
    """Sessions that no row comes to any more.

    Args:
        keys: Key columns.
        gap: Of sessions, ms.
    """

    def __init__(self, keys: Sequence[str], gap: int) -> None:
        self._by, self._gap = list(keys) or [ALL], gap
        make = partial(TimeTable, self._by, time=REACH, width=max(1000, gap))
        self.table: StateTable[TimeTable] = StateTable("ended", keys, make)

    def add(self, sessions: pl.DataFrame, arrived: int) -> None:
        """Add sessions.

        Args:
            sessions: With their bounds.
            arrived: Number of the next row that arrives.
        """
        if sessions.height:
            next_row = pl.lit(arrived, pl.Int64()).alias(_NEXT)
            table, rows = self.table.fitted(sessions.select(*self._by, START, REACH, next_row))
            table.append(rows)

    def forget(self, horizon: int) -> None:
        """Drop those that have no rows any more, as these are before the horizon."""
        self.table.forget(horizon + self._gap)

    def without(self, windows: pl.DataFrame, who: Rows, rows: pl.DataFrame) -> Mask | None:
        """Which rows are of no session that was over before; None: all.

        Args:
            windows: Key and bounds of sessions.
            who: Number of the session of each row.
            rows: Those within the bounds.
        """
        table = self.table.table
        if table is None or not len(table):
            return None
        start, end = (windows.get_column(name).to_numpy() for name in (WINDOW_START, WINDOW_END))
        at, ended = table.fetch(windows, start + self._gap, end - 1)
        if not len(at):
            return None
        known = ended.select(START, REACH, _NEXT).with_columns(pl.Series(_WHO, at))
        asked = rows.select(TIME, ARRIVAL).with_columns(pl.Series(_WHO, who)).with_row_index(_ROW)
        pairs = asked.join(known, on=_WHO)
        dead = pairs.filter(
            pl.col(TIME).is_between(START, pl.col(REACH) - self._gap),
            pl.col(ARRIVAL) < pl.col(_NEXT),
        )
        left = np.ones(rows.height, np.bool_)
        left[dead.get_column(_ROW).to_numpy()] = False
        return left
