"""WindowUpdates: every batch changes the rows of the windows that it has rows of.

- A window's first row is an insert; when its aggregates change, an update: one per batch, nothing
  if they stay the same. Nothing is emitted when it closes: the last change stands.
- A window closes when the watermark reaches its end + `allowed_lateness`; then its state goes, and
  a row whose windows are all closed is late. In a window that is closed already it does not count.
- State is a row per key and open window.
- A result that does not fit its type goes by the error policy; the row emitted before is deleted.
- Output rows have as event time the last millisecond of their window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.operators.changing.difference import Version, difference
from raystream.operators.changing.groups import NUMBER, numbers
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.tables import PiecewiseOperator, StateTable, Types
from raystream.operators.window.aggregates import Aggregation, Finished
from raystream.operators.window.on_time import OnTime
from raystream.operators.window.panes import WINDOW_END, WINDOW_START, panes_of
from raystream.operators.window.slices import SLICE_ROWS
from raystream.operators.window.step import WindowUpdates as Step
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)
_END = 2**62
_BOUNDS = (WINDOW_START, WINDOW_END)


class WindowUpdates(PiecewiseOperator):
    """Windows of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._asked = step.aggregate
        self._by = [*step.aggregate.keys, *_BOUNDS]
        self._panes = panes_of(step.aggregate.window)
        self._watermark = _BEGIN
        columns = None if step.columns is None else step.columns.columns
        self._aggregation = Aggregation(self._asked.aggregates, columns)
        self._errors = RowErrors(self._asked.errors)
        self._on_time = OnTime(step, self._panes, self._errors)
        make = partial(KeyedTable, self._by, time=WINDOW_END)
        upgrade = self._aggregation.restored
        self._windows = StateTable("windows", self._asked.keys, make, self._types(columns), upgrade)
        super().__init__(self._windows)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The policy of the aggregation handles rows that cannot be computed."""
        super().open(ctx, output)
        self._errors.open(ctx, output)
        self._on_time.open(ctx, output)

    def header(self) -> Mapping[str, Any]:
        """The watermark."""
        return {"watermark": None if self._watermark == _BEGIN else self._watermark}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Continue at the watermark."""
        known = [header["watermark"] for header in headers if header.get("watermark") is not None]
        self._watermark = max([self._watermark, *known])

    def gauges(self) -> Mapping[str, float]:
        """Also the windows that may still change; each key has its own."""
        table = self._windows.table
        return {**super().gauges(), "windows_open": 0 if table is None else table.count()}

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit how the windows of these rows change."""
        horizon = self._panes.horizon(self._closed())
        partials = self._on_time.partials(batch.frame, horizon, self._watermark)
        if partials.height:
            self._drain()
            self._start(self._updated(partials))

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Forget the windows that are over."""
        if isinstance(watermark, Idle):
            return
        self._drain()
        self._watermark = max(self._watermark, self._reached(watermark.time))
        self._windows.forget(self._closed() + 1)

    def _closed(self) -> int:
        """Windows that end here or earlier are over."""
        return self._watermark - self._asked.allowed_lateness_ms

    def _reached(self, time: int) -> int:
        """The watermark; at the end of input that at which all windows of the state are over."""
        if time != END_OF_TIME:
            return time
        table = self._windows.table
        last = None if table is None or not len(table) else table.scan()[WINDOW_END].max()
        return last + self._asked.allowed_lateness_ms if isinstance(last, int) else self._watermark

    def _types(self, columns: Mapping[str, pl.DataType] | None) -> Types | None:
        """Of the state, if the columns of the rows are known."""
        kept, keys = self._aggregation.kept, self._asked.keys
        if kept is None or columns is None or not set(keys) <= set(columns):
            return None
        own = {key: columns[key] for key in keys}
        return {**own, **dict.fromkeys(_BOUNDS, pl.Int64()), **kept}

    def _updated(self, partials: pl.DataFrame) -> Iterator[None]:
        """Update and emit the windows of some partials at a time."""
        for number, part in enumerate(partials.iter_slices(self._at_once())):
            if number:
                yield  # those behind take these before the next are made
            windows = self._panes.explode(part, self._closed(), _END)
            if windows.height:
                self._update(windows)

    def _at_once(self) -> int:
        first = self._panes.pane_of(0)
        ends, end = 0, first
        while end < self._panes.last_end(first) and ends < SLICE_ROWS:
            end, ends = self._panes.next_end(end), ends + 1
        return max(1, SLICE_ROWS // max(1, ends))

    def _update(self, windows: pl.DataFrame) -> None:
        numbered = windows.with_columns(pl.Series(NUMBER, numbers(windows, self._by), pl.Int64()))
        news = self._aggregation.merge(numbered, NUMBER)
        table, news = self._fitted(news)
        who, kept = table.find(news)
        old = kept.with_columns(pl.Series(NUMBER, who, pl.Int64())).select(news.columns)
        merged = self._aggregation.merge(pl.concat([old, news]), NUMBER)
        table.upsert(merged.select(*table.schema))
        was = _version(self._aggregation.finish(kept), who)
        now = _version(self._finished(merged), np.arange(news.height))
        found = difference(was, now, news.height, self._by, list(self._asked.aggregates))
        if found.rows.height:
            self.output.emit(Batch(found.rows))

    def _fitted(self, news: pl.DataFrame) -> tuple[KeyedTable, pl.DataFrame]:
        number = news.get_column(NUMBER)
        table, fitted = self._windows.fitted(news.drop(NUMBER))
        return table, fitted.with_columns(number)

    def _finished(self, merged: pl.DataFrame) -> Finished:
        """The policy handles results that do not fit."""
        finished = self._aggregation.finish(merged)
        if finished.reasons is not None:
            rows = finished.frame.select(*self._by, *self._asked.aggregates)
            self._errors.without(rows, finished.reasons)
        return finished


def _version(finished: Finished, who: Rows) -> Version:
    valid = np.ones(finished.frame.height, np.bool_)
    if finished.reasons is not None:
        valid = finished.reasons.is_null().to_numpy()
    return Version(finished.frame, who, valid, finished.frame.get_column(WINDOW_END) - 1)
