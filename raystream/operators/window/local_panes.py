"""Panes of windows by the days of a time zone: the length of a pane follows its clocks.

As for `window_assign.Panes` a pane is identified by its start, so state looks the same. Time zone
look-ups are made for the few distinct panes, never for rows.
"""

from __future__ import annotations

import polars as pl

from raystream.data.batch import TIME
from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window
from raystream.operators.window.panes import PANE, WINDOW_END, WINDOW_START
from raystream.time.local_days import DAY_MS, LocalGrid


class LocalPanes:
    """Panes and windows of a window with a time zone; the methods are those of `Panes`.

    >>> panes = LocalPanes(Tumbling(DAY_MS, time_zone="Europe/Berlin"))
    >>> panes.pane_of(0), panes.last_end(-3_600_000), panes.horizon(0)
    (-3600000, 82800000, -3600000)
    """

    def __init__(self, window: Window) -> None:
        assert window.time_zone is not None
        self._window = window
        self._offset = window.offset_ms
        match window:
            case Tumbling(size_ms=size):
                step, longest = size, size
            case Hopping(size_ms=size, slide_ms=slide):
                step, longest = slide, size
            case Cumulative(max_size_ms=size, step_ms=short):
                step, longest = short, size
        self._grid = LocalGrid(window.time_zone, step, self._offset)
        self.grows = isinstance(window, Cumulative)
        self.single = isinstance(window, Tumbling)
        self._panes_each = longest // step
        whole = longest if isinstance(window, Cumulative) else step
        self._whole = LocalGrid(window.time_zone, whole, self._offset)

    def pane(self) -> pl.Expr:
        """Start of the pane of a row, from its event time."""
        return self._floor(pl.col(TIME)).alias(PANE)

    def pane_of(self, time: int) -> int:
        """Start of the pane of one time."""
        return self._grid.floor(time)

    def next_end(self, time: int) -> int:
        """The first window end after `time`."""
        return self._grid.next(time)

    def end(self) -> pl.Expr:
        """End of the pane that PANE names."""
        return pl.col(PANE).map_batches(self._ends, return_dtype=pl.Int64, is_elementwise=True)

    def last_end(self, pane: int) -> int:
        """End of the last window that contains this pane."""
        if isinstance(self._window, Cumulative):
            return self._whole.next(pane)
        if isinstance(self._window, Hopping):
            grid = self._grid
            return grid.group_start(grid.group_of(pane) + self._panes_each)
        return self._grid.next(pane)

    def horizon(self, time: int) -> int:
        """First pane with a window that ends after `time`; all earlier panes are complete."""
        if isinstance(self._window, Cumulative):
            return self._whole.floor(time)
        if isinstance(self._window, Hopping):
            grid = self._grid
            return grid.group_start(grid.group_of(time) - self._panes_each + 1)
        return self.pane_of(time)

    def first_pane(self, window_end: int) -> int:
        """First pane of the windows that end at `window_end` or later."""
        return self.horizon(window_end - 1)

    def explode(self, frame: pl.DataFrame, after: int, until: int | None) -> pl.DataFrame:
        """One row per pane row and window of it that ends in (after, until]; see `Panes`."""
        found = [
            (pane, start, end)
            for pane in frame.get_column(PANE).unique().to_list()
            for start, end in self._windows(pane, after, until)
        ]
        names = (PANE, WINDOW_START, WINDOW_END)
        windows = pl.DataFrame(found, schema=dict.fromkeys(names, pl.Int64), orient="row")
        return frame.join(windows, on=PANE, maintain_order="left").drop(PANE)

    def coalesced(self, watermark: int) -> pl.Expr | None:
        """PANE after `watermark`, with merged panes: closed ones of a growing window."""
        if not isinstance(self._window, Cumulative):
            return None
        newest = self.pane_of(self.pane_of(watermark) - 1)
        start = self._whole.floor(newest)
        return pl.when(pl.col(PANE).is_between(start, newest)).then(newest).otherwise(pl.col(PANE))

    def _windows(self, pane: int, after: int, until: int | None) -> list[tuple[int, int]]:
        if isinstance(self._window, Cumulative):
            start, last = self._whole.floor(pane), self._whole.next(pane)
            ends = self._ends_between(max(pane, after), last)
            if until is None:
                return [(start, end) for end in ends[:1]]
            return [(start, end) for end in ends if end <= until]
        if isinstance(self._window, Tumbling):
            every = [(pane, self._grid.next(pane))]
        else:
            grid, width = self._grid, self._panes_each
            last_group = grid.group_of(pane)
            groups = range(last_group - width + 1, last_group + 1)
            every = [(grid.group_start(g), grid.group_start(g + width)) for g in groups]
        return [w for w in every if after < w[1] and (until is None or w[1] <= until)]

    def _ends_between(self, after: int, last: int) -> list[int]:
        found = []
        while after < last:
            after = self._grid.next(after)
            found.append(after)
        return found

    def _floor(self, times: pl.Expr) -> pl.Expr:
        return times.map_batches(self._starts, return_dtype=pl.Int64, is_elementwise=True)

    def _starts(self, times: pl.Series) -> pl.Series:
        if times.null_count():
            known = self._starts(times.drop_nulls())
            return times.scatter(times.is_not_null().arg_true(), known)
        days = ((times - self._offset) // DAY_MS).unique().to_list()
        begins = sorted({begin for day in days for begin in self._grid.near(day)})
        table = pl.Series(times.name, begins, dtype=pl.Int64)
        if not len(times):
            return times
        return table.gather(table.search_sorted(times, side="right") - 1)

    def _ends(self, panes: pl.Series) -> pl.Series:
        ends = {pane: self._grid.next(pane) for pane in panes.unique().to_list()}
        return panes.replace_strict(ends, return_dtype=pl.Int64) if ends else panes
