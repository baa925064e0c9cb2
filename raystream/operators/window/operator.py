"""WindowGlobal: merge partials into state, close windows by the watermark, detect late rows.

- A window closes when the watermark reaches its end. With `allowed_lateness` it is kept until the
  watermark reaches end + lateness, and rows that arrive in between emit it again at once, with
  all that is known: a later row of the same key and window replaces an earlier one.
- With early results (rs.early) changed rows of open windows are emitted with `final` = false, and
  one row with `final` = true when it can no longer change, which is at end + lateness.
- A row is late when all of its windows are closed and dropped: it is counted (`late_rows`) and, if
  `.late` is consumed, emitted there. In a window that is closed already it does not count.
- The end of a bounded input closes everything and leaves, as watermark, the end of the last of
  these windows.
- Output rows have as event time the last millisecond of their window (Flink's rule).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.graph.policies import Early
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.tables import PiecewiseOperator, StateTable, Types
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.columns import output_columns
from raystream.operators.window.early import ChangedPanes
from raystream.operators.window.on_time import OnTime
from raystream.operators.window.open_windows import open_windows
from raystream.operators.window.panes import PANE, WINDOW_END, panes_of
from raystream.operators.window.slices import slices
from raystream.operators.window.step import WindowGlobal as Step
from raystream.state.window_table import WindowTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)
_END = 2**62


class WindowGlobal(PiecewiseOperator):
    """Windowed aggregation of the keys that this subtask owns."""

    only_table = "panes"

    def __init__(self, step: Step) -> None:
        self._step = step
        self._asked = step.aggregate
        self._keys = list(step.aggregate.keys)
        self._panes = panes_of(step.aggregate.window)
        self._lateness = step.aggregate.allowed_lateness_ms
        emit = step.aggregate.emit
        self._every = emit.every_ms / 1000 if isinstance(emit, Early) else None
        self._delay = self._lateness if self._every is not None else 0
        self._changed = ChangedPanes(self._panes, self._keys)
        self._due: float | None = None
        self._watermark = _BEGIN
        columns = step.columns.columns if step.columns is not None else None
        self._aggregation = Aggregation(self._asked.aggregates, columns)
        self._errors = RowErrors(self._asked.errors)
        self._on_time = OnTime(step, self._panes, self._errors)
        upgrade = self._aggregation.restored
        self._kept = StateTable("panes", self._keys, self._made, self._types(), upgrade)
        super().__init__(self._kept)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy of the aggregation handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)
        self._on_time.open(ctx, output)

    def gauges(self) -> Mapping[str, float]:
        """Also the windows that may still change."""
        table, after = self._kept.table, self._watermark - self._lateness
        held = 0 if table is None else open_windows(self._panes, table.panes(), after)
        return {**super().gauges(), "windows_open": held}

    def _made(self, *, schema: Types, prefix: str) -> WindowTable:
        fold = self._aggregation.fold(schema)
        return WindowTable(self._keys, schema, pane=PANE, fold=fold, prefix=prefix)

    def _types(self) -> Types | None:
        """Of the partials, if those of the rows are known."""
        kept, columns = self._aggregation.kept, self._step.columns
        if kept is None or not set(self._keys) <= set(columns.columns):
            return None
        return {PANE: pl.Int64(), **{key: columns.columns[key] for key in self._keys}, **kept}

    def header(self) -> Mapping[str, Any]:
        """The watermark."""
        return {"watermark": None if self._watermark == _BEGIN else self._watermark}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Continue at the watermark; early rows of restored windows are emitted again."""
        known = [header["watermark"] for header in headers if header.get("watermark") is not None]
        self._watermark = max([self._watermark, *known])
        table = self._kept.table
        if self._every is not None and table is not None:
            self._note(table.select(-_END, _END))

    def process(self, batch: Batch, port: int = 0) -> None:
        """Add rows or partials to the state; late ones are split off."""
        horizon = self._panes.horizon(self._watermark - self._lateness)
        partials = self._on_time.partials(batch.frame, horizon, self._watermark)
        if not partials.height:
            return
        self._drain()
        table, partials = self._kept.fitted(partials)
        table.append(partials)
        if self._every is not None:
            self._note(partials)
        elif self._lateness:
            self._update_closed(partials)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Close the windows that end now."""
        if isinstance(watermark, Idle):
            return
        reached = self._end() if watermark.time == END_OF_TIME else watermark.time
        if reached <= self._watermark:
            return
        self._drain()
        before, self._watermark = self._watermark, reached
        self._start(self._advance(before, reached))

    def _advance(self, before: int, reached: int) -> Iterator[None]:
        if self._panes.pane_of(before - self._delay) < self._panes.pane_of(reached - self._delay):
            yield from self._close_windows(before - self._delay, reached - self._delay)
        if self._panes.pane_of(before - self._lateness) < self._panes.pane_of(
            reached - self._lateness
        ):
            self._forget(reached - self._lateness)

    def deadline(self) -> float | None:
        """When early rows are due; not before the current output is complete."""
        return self._due if self._work is None else None

    def on_time(self, now: float) -> None:
        """Emit early rows."""
        if self._due is None or now < self._due or self._work is not None:
            return
        self._due = None
        self._start(self._tell_changed(None, final=False))

    def _tell_changed(self, until: int | None, *, final: bool) -> Iterator[None]:
        after = self._watermark - self._lateness
        table = self._kept.table
        assert table is not None, "something changed"
        for number, merged in enumerate(self._changed.take(table, after, until)):
            if number:
                yield  # those behind take this slice before the next is made
            self._emit(merged, final=final)

    def _update_closed(self, partials: pl.DataFrame) -> None:
        """Emit windows again that were emitted but are kept."""
        touched = partials.filter(self._panes.end() <= self._watermark)
        if not touched.height:
            return
        self._changed.note(touched)
        self._start(self._tell_changed(self._watermark, final=True))

    def _close_windows(self, after: int, until: int) -> Iterator[None]:
        table = self._kept.table
        if table is None:
            return
        counts = table.pane_counts()
        parts = slices(self._panes, counts, after, until, by_key=bool(self._keys))
        for number, part in enumerate(parts):
            if number:
                yield  # those behind take this slice before the next is made
            single = self._panes.single
            rows = table.select(part.low, part.until, part.part, part.parts, once=single)
            windows = self._panes.explode(rows, part.after, part.until)
            merged = windows if single else table.folded(windows, WINDOW_END)
            self._emit(merged, final=True)

    def _forget(self, until: int) -> None:
        self._kept.forget(self._panes.horizon(until))
        relabel = self._panes.coalesced(until)
        if relabel is not None and self._kept.table is not None:
            self._kept.table.relabel(relabel)

    def _emit(self, merged: pl.DataFrame, *, final: bool) -> None:
        if not merged.height:
            return
        finished = self._aggregation.finish(merged)
        finished.count_cut(self.ctx)
        rows = finished.frame.select(output_columns(self._asked, final=final))
        if finished.reasons is not None:
            rows = self._errors.without(rows, finished.reasons)
        if rows.height:
            self.output.emit(Batch(rows))

    def _note(self, partials: pl.DataFrame) -> None:
        self._changed.note(partials)
        if self._changed and self._due is None and self._every is not None:
            self._due = self.ctx.clock.now() + self._every

    def _end(self) -> int:
        """The watermark at which all windows of the state are closed."""
        table = self._kept.table
        counts = [] if table is None else table.pane_counts()
        return self._panes.last_end(counts[-1][0]) + self._delay if counts else self._watermark
