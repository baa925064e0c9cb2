"""GlobalAggregate: partials of each key, emitted after so many rows, or by the clock.

- Rows are counted in the order in which they come: a replay may put other rows into a window, but
  what is emitted is committed once.
- Of a sliding window the first ones have fewer rows. A global window has all rows of its key,
  those since it was emitted last if its trigger purges it.
- The end of a bounded input emits what was not emitted yet; counting starts anew then, a global
  window that is not purged goes on.
- With a ttl the state of a key is dropped once the watermark is that much past its latest row,
  with what it had counted.
- The event time of a result is that of its latest row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.graph.windows import CountWindow
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL, NUMBER, SEEN, numbers
from raystream.operators.final_rows import final_rows
from raystream.operators.global_window.columns import (
    TOTAL,
    aggregation_of,
    by_of,
    output_columns,
    state_types,
)
from raystream.operators.global_window.panes import Counting
from raystream.operators.global_window.step import GlobalAggregate as Step
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.window.aggregates import ROWS, Aggregation
from raystream.operators.window.panes import PANE
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

PIECE = 100_000
"""Windows that are finished at once."""

_GROUP = f"{HIDDEN}group"
_MOST_NOTES = 64


class GlobalAggregate(PiecewiseOperator):
    """Windows of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._step, self._by = step, by_of(step)
        window = step.window
        trigger = None if isinstance(window, CountWindow) else window.trigger
        self._stays = trigger is not None and not trigger.purge
        self._counting = _counting(step)
        every = None if trigger is None else trigger.every_ms
        self._every = None if every is None else every / 1000
        self._due: float | None = None
        self._notes: list[pl.DataFrame] = []
        self._errors = RowErrors(step.errors)
        self._aggregation: Aggregation | None = None
        types = None
        if step.columns is not None:
            columns = step.columns.columns
            self._aggregation = aggregation_of(step, columns)
            types = state_types(step, self._aggregation, columns)
        make = partial(KeyedTable, self._by, time=SEEN)
        upgrade = self._finishing().restored
        self._panes = StateTable("panes", step.keys, make, types, upgrade)
        super().__init__(self._panes)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """What a trigger of the clock has not emitted yet is due again."""
        if self._every is not None and self._panes.table is not None:
            self._note(self._panes.table.scan().select(self._by))

    def process(self, batch: Batch, port: int = 0) -> None:
        """Add rows to the windows of their keys; emit those that are full."""
        frame = final_rows(batch.frame)
        aggregation = self._known(frame)
        rows = aggregation.computed(frame, self._errors)
        if not rows.height:
            return
        self._drain()
        if not self._step.keys:
            rows = rows.with_columns(pl.lit(0, pl.Int8()).alias(ALL))
        types = state_types(self._step, aggregation, frame.schema)
        table, _ = self._panes.fitted(pl.DataFrame(schema=types))
        self._add(aggregation, table, rows)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Forget keys that had no row for too long; at the end emit what is left."""
        if isinstance(watermark, Idle):
            return
        self._drain()
        if watermark.time == END_OF_TIME:
            self._start(self._ended())
        elif self._step.window.ttl_ms is not None:
            self._panes.forget(watermark.time - self._step.window.ttl_ms)

    def deadline(self) -> float | None:
        """When the trigger of the clock fires; not before the current output is complete."""
        return self._due if self._work is None else None

    def on_time(self, now: float) -> None:
        """Emit the windows that have new rows."""
        if self._due is None or now < self._due or self._work is not None:
            return
        self._start(self._fired())

    def _known(self, frame: pl.DataFrame) -> Aggregation:
        if self._aggregation is None:
            self._aggregation = aggregation_of(self._step, frame.schema)
        return self._aggregation

    def _add(self, aggregation: Aggregation, table: KeyedTable, rows: pl.DataFrame) -> None:
        ids = numbers(rows, self._by)
        order = np.argsort(ids, kind="stable")
        rows, key = rows[order], ids[order]
        first = np.unique(key, return_index=True)[1]
        keys = rows[first].select(self._by)
        who, kept = table.find(keys)
        before = np.zeros(keys.height, np.int64)
        np.maximum.at(before, who, kept.get_column(TOTAL).to_numpy())
        number = np.arange(len(key)) - first[key] + before[key]
        pane = np.zeros_like(number) if self._every is not None else number // self._counting.rows
        news = self._partials(aggregation, rows, key, pane)
        old = kept.with_columns(pl.Series(NUMBER, who, pl.Int64()))
        both = pl.concat([old, news.select(old.columns)], how="vertical_relaxed")
        panes = _merged(aggregation, both)
        if self._every is not None:
            self._note(keys)
            self._keep(table, panes, panes)
            return
        total = before + np.bincount(key, minlength=keys.height)
        of_key = total[panes.get_column(NUMBER).to_numpy()]
        panes = panes.with_columns(pl.Series(TOTAL, of_key, pl.Int64()))
        self._counted(aggregation, table, panes, before)

    def _partials(
        self, aggregation: Aggregation, rows: pl.DataFrame, key: Rows, pane: Rows
    ) -> pl.DataFrame:
        """By number of the key and pane, with the columns of the state."""
        marked = rows.with_columns(
            pl.Series(NUMBER, key, pl.Int64()), pl.Series(PANE, pane, pl.Int64())
        )
        latest = marked.group_by(NUMBER).agg(pl.col(TIME).max().alias(SEEN))
        news = aggregation.partial(marked, [NUMBER, PANE, *self._by])
        return news.join(latest, on=NUMBER).with_columns(pl.lit(0, pl.Int64()).alias(TOTAL))

    def _counted(
        self, aggregation: Aggregation, table: KeyedTable, panes: pl.DataFrame, before: Rows
    ) -> None:
        """Emit the windows that are full since `before`, keep the panes of those to come."""
        size, each = self._counting.rows, self._counting.panes
        key, pane = (panes.get_column(name).to_numpy() for name in (NUMBER, PANE))
        full = panes.get_column(TOTAL).to_numpy() // size  # panes below this are
        ends = np.flatnonzero((pane < full) & (pane >= before[key] // size))
        windows = self._counting.windows(aggregation, panes, key, ends)
        if each is None:  # all that is full becomes one pane
            last = np.flatnonzero(pane == full - 1)
            whole = self._counting.windows(aggregation, panes, key, last)
            kept = pl.concat([whole.select(panes.columns), panes.filter(pl.Series(pane >= full))])
        else:
            kept = panes.filter(pl.Series(pane > full - each))
        self._keep(table, panes, kept)
        self._start(self._emitted(windows))

    def _keep(self, table: KeyedTable, panes: pl.DataFrame, kept: pl.DataFrame) -> None:
        types = [pl.col(name).cast(kind) for name, kind in table.schema.items()]
        table.put(kept.select(types))
        having = kept.get_column(NUMBER).unique()
        gone = panes.filter(~pl.col(NUMBER).is_in(having.implode()))
        table.delete(gone.select(self._by).unique())

    def _note(self, keys: pl.DataFrame) -> None:
        self._notes.append(keys)
        if len(self._notes) > _MOST_NOTES:
            self._notes = [pl.concat(self._notes, how="vertical_relaxed").unique()]
        if self._due is None and self._every is not None:
            self._due = self.ctx.clock.now() + self._every

    def _fired(self) -> Iterator[None]:
        """Emit all windows that have rows which were not emitted."""
        notes, self._notes, self._due = self._notes, [], None
        table = self._panes.table
        if not notes or table is None:
            return
        _, found = table.find(pl.concat(notes, how="vertical_relaxed").unique())
        fresh = found.filter(pl.col(TOTAL) != pl.col(ROWS))
        if self._stays:
            table.put(fresh.with_columns(pl.col(ROWS).alias(TOTAL)))
        else:
            table.delete(fresh.select(self._by))
        yield from self._emitted(fresh)

    def _ended(self) -> Iterator[None]:
        table = self._panes.table
        if table is None:
            return
        if self._every is not None:
            yield from self._fired()
            return
        panes = table.scan()
        ids = numbers(panes, self._by)
        panes = panes.with_columns(pl.Series(NUMBER, ids, pl.Int64())).sort(NUMBER, PANE)
        key, pane = (panes.get_column(name).to_numpy() for name in (NUMBER, PANE))
        open_ = np.flatnonzero(pane >= panes.get_column(TOTAL).to_numpy() // self._counting.rows)
        windows = self._counting.windows(self._finishing(), panes, key, open_)
        if not self._stays:
            table.delete(panes.select(self._by).unique())
        yield from self._emitted(windows)

    def _finishing(self) -> Aggregation:
        """Of partials: no row may have come since a restore."""
        return self._aggregation or aggregation_of(self._step, None)

    def _emitted(self, windows: pl.DataFrame) -> Iterator[None]:
        aggregation = self._finishing()
        for first in range(0, windows.height, PIECE):
            if first:
                yield  # those behind take these before the next are made
            finished = aggregation.finish(windows[first : first + PIECE])
            finished.count_cut(self.ctx)
            rows = finished.frame.select(output_columns(self._step))
            if finished.reasons is not None:
                rows = self._errors.without(rows, finished.reasons)
            if rows.height:
                self.output.emit(Batch(rows))


def _merged(aggregation: Aggregation, panes: pl.DataFrame) -> pl.DataFrame:
    """Each pane of each key once, in order; SEEN is the latest of the key."""
    panes = panes.with_columns(pl.col(SEEN).max().over(NUMBER))
    key, pane = (panes.get_column(name).to_numpy() for name in (NUMBER, PANE))
    order = np.lexsort((pane, key))
    panes, key, pane = panes[order], key[order], pane[order]
    begins = np.ones(len(key), np.bool_)
    begins[1:] = (key[1:] != key[:-1]) | (pane[1:] != pane[:-1])
    group = pl.Series(_GROUP, np.cumsum(begins) - 1)
    return aggregation.merge(panes.with_columns(group), _GROUP).drop(_GROUP)


def _counting(step: Step) -> Counting:
    window = step.window
    if isinstance(window, CountWindow):
        slide = window.slide or window.size
        return Counting(slide, window.size // slide)
    return Counting(window.trigger.count or 1, 1 if window.trigger.purge else None)
