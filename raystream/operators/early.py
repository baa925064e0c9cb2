"""Early results: rows of open windows that changed, at most once per interval of wall clock."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from raystream.data.batch import IS_FINAL
from raystream.operators.window_assign import WINDOW_END, WINDOW_START, Panes
from raystream.state.windowed import PANE, Merge, WindowedState

_MAX_NOTES = 64


def final_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that nothing replaces any more: an early row of a window is not one more row."""
    if IS_FINAL not in frame.columns:
        return frame
    return frame.filter(pl.col(IS_FINAL)).drop(IS_FINAL)


class ChangedPanes:
    """Remembers which panes of which keys got rows, and finds the windows that this changed.

    Args:
        panes: Panes of the window.
        keys: Names of the key columns.
    """

    def __init__(self, panes: Panes, keys: Sequence[str]) -> None:
        self._panes = panes
        self._by = [PANE, *keys]
        self._keys = list(keys)
        self._notes: list[pl.DataFrame] = []

    def __bool__(self) -> bool:
        """Whether something changed since the last `take`."""
        return bool(self._notes)

    def note(self, partials: pl.DataFrame) -> None:
        """These rows went into the state."""
        if partials.height:
            self._notes.append(partials.select(self._by))
        if len(self._notes) > _MAX_NOTES:
            self._notes = [self._unique()]

    def take(
        self, state: WindowedState, merge: Merge, after: int, until: int | None
    ) -> pl.DataFrame | None:
        """Merged partials of the changed windows that end in (after, until]; forgets the changes.

        Of a cumulative window only the first end that is still open is told, if `until` is None.
        """
        if not self._notes:
            return None
        targets = self._panes.explode(self._unique(), after, until)
        self._notes = []
        on = [WINDOW_START, WINDOW_END, *self._keys]
        targets = targets.select(on).unique()
        if not targets.height:
            return None
        low, high = targets.select(pl.col(WINDOW_START).min(), pl.col(WINDOW_END).max()).row(0)
        rows = state.select(low, high)
        if rows is None:
            return None
        windows = self._panes.explode(rows, after, high)
        return merge(windows.join(targets, on=on, how="semi", nulls_equal=True), on)

    def _unique(self) -> pl.DataFrame:
        return pl.concat(self._notes, how="vertical_relaxed").unique()
