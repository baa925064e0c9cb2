"""Early results: changed rows of open windows, at most once per interval of wall clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from raystream.operators.window.panes import PANE, WINDOW_END, WINDOW_START, Assigner
from raystream.operators.window.slices import Slice, slices
from raystream.state.window_table import WindowTable

_MAX_NOTES = 64


class ChangedPanes:
    """Tracks which panes of which keys got rows, and finds the windows that this changed.

    Args:
        panes: Panes of the window.
        keys: Names of the key columns.
    """

    def __init__(self, panes: Assigner, keys: Sequence[str]) -> None:
        self._panes = panes
        self._by = [PANE, *keys]
        self._keys = list(keys)
        self._notes: list[pl.DataFrame] = []

    def __bool__(self) -> bool:
        """Whether something changed since the last `take`."""
        return bool(self._notes)

    def note(self, partials: pl.DataFrame) -> None:
        """Record rows that were added to the state."""
        if partials.height:
            self._notes.append(partials.select(self._by))
        if len(self._notes) > _MAX_NOTES:
            self._notes = [self._unique()]

    def take(self, state: WindowTable, after: int, until: int | None) -> Iterator[pl.DataFrame]:
        """Merged partials of the changed windows that end in (after, until]; clears the changes.

        Of a cumulative window only the first end that is still open is emitted, if `until` is None.
        The state must not change before all is consumed.
        """
        if not self._notes:
            return
        changed, self._notes = self._unique(), []
        nearest = self._nearest(changed, after) if until is None else None
        for part in slices(
            self._panes,
            state.pane_counts(),
            after,
            until,
            only=sorted(changed.get_column(PANE).unique().to_list()),
            by_key=bool(self._keys),
        ):
            found = self._part(part, state, changed, nearest)
            if found is not None and found.height:
                yield found if self._panes.single else state.folded(found, WINDOW_END)

    def _part(
        self,
        part: Slice,
        state: WindowTable,
        changed: pl.DataFrame,
        nearest: pl.DataFrame | None,
    ) -> pl.DataFrame | None:
        """Partials of the changed windows of one slice, a row per window."""
        on = [WINDOW_START, WINDOW_END, *self._keys]
        if nearest is not None:
            ends = pl.col(WINDOW_END)
            targets = nearest.filter((ends > part.after) & (ends <= part.until))
        else:
            near = changed.filter(pl.col(PANE).is_between(part.low, part.until, closed="left"))
            targets = self._panes.explode(near, part.after, part.until).select(on).unique()
        if not targets.height:
            return None
        rows = state.select(part.low, part.until, part.part, part.parts)
        if self._keys:
            wanted = targets.select(self._keys).unique()
            rows = rows.join(wanted, on=self._keys, how="semi", nulls_equal=True)
        windows = self._panes.explode(rows, part.after, part.until)
        return windows.join(targets, on=on, how="semi", nulls_equal=True)

    def _nearest(self, changed: pl.DataFrame, after: int) -> pl.DataFrame | None:
        """Windows emitted early, if not every window of a pane is: cumulative ones."""
        if not self._panes.grows:
            return None
        on = [WINDOW_START, WINDOW_END, *self._keys]
        return self._panes.explode(changed, after, None).select(on).unique()

    def _unique(self) -> pl.DataFrame:
        return pl.concat(self._notes, how="vertical_relaxed").unique()
