"""Which windows a row is in: first its pane (a column expression), then the windows of the pane.

A pane is the largest piece of event time that no window divides: the whole of a tumbling window,
one slide of a hopping one, one step of a cumulative one (Flink's slices). Windows of all three
kinds end on the grid `offset + n * width`, so the rules below are the same for all.
"""

from __future__ import annotations

from typing import Protocol

import polars as pl

from raystream.data.batch import TIME
from raystream.graph.windows import Cumulative, Hopping, Tumbling, Window
from raystream.ids import HIDDEN

PANE = f"{HIDDEN}pane"
"""Int64, epoch ms: start of the pane of a row or partial."""

WINDOW_START = "window_start"
"""Int64, epoch ms, inclusive."""

WINDOW_END = "window_end"
"""Int64, epoch ms, exclusive."""


class Assigner(Protocol):
    """Panes and windows of one kind of window; `Panes` documents the methods."""

    grows: bool
    """Whether windows have a common start and increasing ends."""
    single: bool
    """Whether each window is one pane."""

    def pane(self) -> pl.Expr:
        """Column: start of the pane of a row."""
        ...

    def pane_of(self, time: int) -> int:
        """Start of the pane of a time."""
        ...

    def next_end(self, time: int) -> int:
        """First window end after a time."""
        ...

    def end(self) -> pl.Expr:
        """Column: end of the pane that PANE names."""
        ...

    def last_end(self, pane: int) -> int:
        """End of the last window with this pane."""
        ...

    def horizon(self, time: int) -> int:
        """First pane with a window that ends after a time."""
        ...

    def first_pane(self, window_end: int) -> int:
        """First pane of the windows that end here or later."""
        ...

    def explode(self, frame: pl.DataFrame, after: int, until: int | None) -> pl.DataFrame:
        """A row per row and window of it that ends in (after, until]."""
        ...

    def coalesced(self, watermark: int) -> pl.Expr | None:
        """PANE, with closed panes merged."""
        ...


def panes_of(window: Window) -> Assigner:
    """The panes of a window, with or without a time zone."""
    if window.time_zone is None:
        return Panes(window)
    from raystream.operators.window.local_panes import LocalPanes

    return LocalPanes(window)


class Panes:
    """The panes and windows of a kind of window; all numbers are epoch ms, negative ones too.

    >>> panes = Panes(Hopping(size_ms=30, slide_ms=10))
    >>> panes.pane_of(25), panes.last_end(20), panes.horizon(60)
    (20, 50, 40)
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._offset = window.offset_ms
        self.grows = isinstance(window, Cumulative)
        self.single = isinstance(window, Tumbling)
        match window:
            case Tumbling(size_ms=size):
                self.width, self._span = size, size
            case Hopping(size_ms=size, slide_ms=slide):
                self.width, self._span = slide, size
            case Cumulative(max_size_ms=size, step_ms=step):
                self.width, self._span = step, size

    def pane(self) -> pl.Expr:
        """Start of the pane of a row, from its event time."""
        return _floor(pl.col(TIME), self.width, self._offset).alias(PANE)

    def pane_of(self, time: int) -> int:
        """Start of the pane of one time."""
        return time - (time - self._offset) % self.width

    def next_end(self, time: int) -> int:
        """The first window end after `time`."""
        return self.pane_of(time) + self.width

    def end(self) -> pl.Expr:
        """End of the pane that PANE names."""
        return pl.col(PANE) + self.width

    def last_end(self, pane: int) -> int:
        """End of the last window that contains this pane."""
        if isinstance(self._window, Cumulative):
            return pane - (pane - self._offset) % self._span + self._span
        return pane + self._span

    def horizon(self, time: int) -> int:
        """First pane with a window that ends after `time`; all earlier panes are complete."""
        if isinstance(self._window, Cumulative):
            return time - (time - self._offset) % self._span
        return self.pane_of(time) - self._span + self.width

    def first_pane(self, window_end: int) -> int:
        """First pane of the windows that end at `window_end` or later."""
        if isinstance(self._window, Cumulative):
            last = window_end - self.width
            return last - (last - self._offset) % self._span
        return window_end - self._span

    def explode(self, frame: pl.DataFrame, after: int, until: int | None) -> pl.DataFrame:
        """One row per pane row and window of it that ends in (after, until].

        Args:
            frame: Rows with PANE.
            after: Windows that end here or earlier are omitted.
            until: Last end; None: all, but of a cumulative window only the first remaining end
                (the later ones do not add anything yet).

        Returns:
            The rows with WINDOW_START and WINDOW_END in place of PANE.
        """
        first_possible = self.pane_of(after) + self.width
        first = pl.max_horizontal(pl.col(PANE) + self.width, pl.lit(first_possible, pl.Int64))
        last = self._last_end()
        if until is not None:
            last = pl.min_horizontal(last, pl.lit(self.pane_of(until), pl.Int64))
        elif isinstance(self._window, Cumulative):
            last = pl.min_horizontal(last, first)
        return self._with_windows(frame, first, last)

    def coalesced(self, watermark: int) -> pl.Expr | None:
        """PANE after `watermark`, with merged panes: closed ones of a growing window."""
        if not isinstance(self._window, Cumulative):
            return None
        newest = self.pane_of(watermark) - self.width
        start = newest - (newest - self._offset) % self._span
        return pl.when(pl.col(PANE).is_between(start, newest)).then(newest).otherwise(pl.col(PANE))

    def _with_windows(self, frame: pl.DataFrame, first: pl.Expr, last: pl.Expr) -> pl.DataFrame:
        if isinstance(self._window, Tumbling):
            end = pl.col(PANE) + self.width
            others = pl.exclude(PANE)
            single = frame.lazy().filter(end.is_between(first, last))
            named = single.select(others, pl.col(PANE).alias(WINDOW_START), end.alias(WINDOW_END))
            return named.collect()
        ends = pl.int_ranges(first, last + 1, self.width).alias(WINDOW_END)
        many = frame.filter(first <= last).with_columns(ends).explode(WINDOW_END)
        return many.with_columns(self._start().alias(WINDOW_START)).drop(PANE)

    def _last_end(self) -> pl.Expr:
        if isinstance(self._window, Cumulative):
            return _floor(pl.col(PANE), self._span, self._offset) + self._span
        return pl.col(PANE) + self._span

    def _start(self) -> pl.Expr:
        if isinstance(self._window, Cumulative):
            return _floor(pl.col(WINDOW_END) - self.width, self._span, self._offset)
        return pl.col(WINDOW_END) - self._span


def _floor(value: pl.Expr, width: int, offset: int) -> pl.Expr:
    """Floor to the grid; Polars' remainder has the sign of the divisor, so also before 1970."""
    moved = value - offset if offset else value
    return value - moved % width
