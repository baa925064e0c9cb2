"""Over: rows wait until the watermark has passed them, then each is emitted with its functions.

- Rows of a key are in the order of event time, then of their partition, then as they came.
- A row whose event time is behind the watermark when it comes is late: counted (`late_rows`), and
  emitted in `.late`.
- State: the rows that wait; and of each key the rows that later ones may look back at: so many as
  `rows` and the lags need, or those within `range` of the watermark; for aggregates over all rows
  one accumulator. With a `ttl` rows of a key with a longer pause between them do not see each
  other, and are counted from 1 again.
- The end of a bounded input emits all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import ORDER, TIME, Batch
from raystream.data.left_out import left_out
from raystream.graph.over import RowNumber
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL, numbers
from raystream.operators.final_rows import final_rows
from raystream.operators.operator import Output
from raystream.operators.over.columns import ARRIVAL, ROW, UNTIL, Reads
from raystream.operators.over.frames import computed
from raystream.operators.over.running import running
from raystream.operators.over.step import Over as Step
from raystream.operators.row_errors import RowErrors
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.window.aggregates import Finished
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.state.time_table import TimeTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

PIECE = 50_000
"""Rows that are emitted at once."""

_BEGIN, _LAST = -(2**62), 2**62
_SLOT_MS = 1000


class Over(PiecewiseOperator):
    """The rows of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._by = list(step.keys) or [ALL]
        self._errors = RowErrors(step.errors)
        self._watermark, self._next = _BEGIN, 0
        self._reads: Reads | None = None
        lags = max((lag.by for lag in step.lags.values()), default=0)
        numbered = any(isinstance(one, RowNumber) for one in step.functions.values())
        self._back = max((step.rows or 1) - 1, lags, int(numbered or step.is_running))
        waiting = partial(TimeTable, self._by, time=TIME, width=_SLOT_MS)
        past = partial(KeyedTable, self._by, time=UNTIL)
        self._waiting = StateTable("waiting", step.keys, waiting)
        self._past = StateTable("past", step.keys, past)
        self._totals = StateTable("totals", step.keys, past)
        super().__init__(self._waiting, self._past, self._totals)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def header(self) -> Mapping[str, Any]:
        """The watermark, and the number of the next row."""
        known = {} if self._watermark == _BEGIN else {"watermark": self._watermark}
        return {**known, "next": self._next}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Continue where the subtasks were."""
        self._watermark = max([_BEGIN, *(each.get("watermark", _BEGIN) for each in headers)])
        self._next = max([0, *(each.get("next", 0) for each in headers)])

    def process(self, batch: Batch, port: int = 0) -> None:
        """Keep the rows until the watermark has passed them."""
        frame = final_rows(batch.frame)
        own = [n for n in frame.columns if n in (TIME, ORDER) or not n.startswith(HIDDEN)]
        rows = self._on_time(frame.select(own))
        rows = self._known(rows).values.computed(rows, self._errors)
        if not rows.height:
            return
        self._drain()
        if not self._step.keys:
            rows = rows.with_columns(pl.lit(0, pl.Int8()).alias(ALL))
        last = self._next + rows.height
        rows = rows.with_columns(pl.int_range(self._next, last, dtype=pl.Int64()).alias(ARRIVAL))
        self._next = last
        table, rows = self._waiting.fitted(rows)
        table.append(rows)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Emit the rows that it has passed."""
        if isinstance(watermark, Idle):
            return
        self._drain()
        table, end = self._waiting.table, watermark.time == END_OF_TIME
        if not end and watermark.time <= self._watermark:
            return
        last = _LAST if end else watermark.time - 1
        due = [] if table is None else list(table.select(-_LAST, last, PIECE))
        rows = pl.concat(due) if due else pl.DataFrame()
        highest = rows.get_column(TIME).max() if end and rows.height else None
        after = highest + 1 if isinstance(highest, int) else self._watermark
        self._watermark = max(self._watermark, after if end else watermark.time)
        if self._watermark > _BEGIN:
            self._waiting.forget(self._watermark)
        self._start(self._passed(rows))

    def _known(self, frame: pl.DataFrame) -> Reads:
        if self._reads is None:
            self._reads = Reads(self._step, frame.schema)
        return self._reads

    def _on_time(self, rows: pl.DataFrame) -> pl.DataFrame:
        late = rows.get_column(TIME) < self._watermark
        if not late.any():
            return rows
        left = rows.filter(late)
        self.ctx.count("late_rows", left.height)
        self.ctx.sample("late_rows", partial(self._late_rows, left))
        if self.output.consumed("late"):
            self.output.emit(Batch(left), "late")
        return rows.filter(~late)

    def _late_rows(self, rows: pl.DataFrame) -> list[LeftOut]:
        return left_out(rows, f"event time was past the row, it is at {self._watermark}")

    def _passed(self, rows: pl.DataFrame) -> Iterator[None]:
        """Emit rows in their order, some at a time; rows of one event time together."""
        if rows.height:
            place = [ORDER] if ORDER in rows.columns else []
            rows = rows.sort(TIME, *place, ARRIVAL)
            times, first = rows.get_column(TIME).to_numpy(), 0
            while first < rows.height:
                if first:
                    yield  # those behind take these before the next are made
                end = min(first + PIECE, rows.height)
                end = int(np.searchsorted(times, times[end - 1], side="right"))
                self._emit(rows[first:end])
                first = end
        if self._watermark > _BEGIN:
            self._past.forget(self._watermark)
            self._totals.forget(self._watermark)

    def _emit(self, rows: pl.DataFrame) -> None:
        """Compute the functions of rows, which no earlier ones are missing for."""
        reads = self._known(rows)
        ids = numbers(rows, self._by)
        order = np.argsort(ids, kind="stable")
        news, key = rows[order], ids[order]
        keys = news[np.unique(key, return_index=True)[1]].select(self._by)
        values = [name for name in reads.names if name != TIME]
        none = pl.lit(None, pl.Int64())
        fresh = news.select(*self._by, TIME, *values, none.alias(ROW), none.alias(UNTIL))
        table, fresh = self._past.fitted(fresh)
        who, past = table.find(keys)
        every = pl.concat([past, fresh])
        place = np.concatenate([who, key])
        after = np.concatenate([past[ROW].to_numpy(), 2**62 + np.arange(len(key))])
        by_key = np.lexsort((after, place))
        every, place, new = every[by_key], place[by_key], np.flatnonzero(by_key >= past.height)
        sequence = self._sequences(every, place)
        every = _numbered(every, sequence)
        totals = self._running(keys, every, place, sequence, new)
        found = computed(self._step, reads, every, sequence, new, totals)
        found.count_cut(self.ctx)
        self._keep(table, every, place, sequence)
        self._give(rows, found, np.argsort(order, kind="stable"))

    def _running(
        self, keys: pl.DataFrame, rows: pl.DataFrame, key: Rows, sequence: Rows, new: Rows
    ) -> Finished | None:
        """The aggregates over all rows so far; the accumulators behind them are kept."""
        if not self._step.is_running:
            return None
        aggregation = self._known(rows).aggregation
        first = new[np.unique(key[new], return_index=True)[1]]
        goes_on = (first > 0) & (sequence[first] == sequence[first - 1])
        seeds: tuple[Rows, pl.DataFrame] = sequence[:0], pl.DataFrame()
        if goes_on.any() and self._totals.table is not None:
            had, before = self._totals.table.get(keys)
            goes_on &= had
            seeds = sequence[first[goes_on]], before.filter(pl.Series(goes_on))
        found, behind = running(aggregation, rows, sequence, new, seeds)
        last, ttl = np.unique(_last_of_each(key[new])), self._step.ttl_ms
        times = rows.get_column(TIME)[new[last]].alias(UNTIL)
        until = pl.lit(None, pl.Int64()).alias(UNTIL) if ttl is None else times + ttl
        table, kept = self._totals.fitted(keys.hstack(behind[last]).with_columns(until))
        table.upsert(kept)
        return found

    def _give(self, rows: pl.DataFrame, found: Finished, place: Rows) -> None:
        """Emit rows with their functions, which are at other places."""
        visible = [name for name in rows.columns if not name.startswith(HIDDEN)]
        hidden = [name for name in (TIME, ORDER) if name in rows.columns]
        made = rows.hstack(found.frame[place]).select(*visible, *self._step.functions, *hidden)
        if found.reasons is not None and found.reasons.null_count() < len(found.reasons):
            made = self._errors.without(made, found.reasons.gather(place))
        if made.height:
            self.output.emit(Batch(made))

    def _sequences(self, rows: pl.DataFrame, key: Rows) -> Rows:
        """Number of the rows that see each other: of a key, without a pause of more than ttl."""
        begins = np.ones(len(key), np.bool_)
        begins[1:] = key[1:] != key[:-1]
        if self._step.ttl_ms is not None:
            times = rows.get_column(TIME).to_numpy()
            begins[1:] |= times[1:] - times[:-1] > self._step.ttl_ms
        found: Rows = np.cumsum(begins) - 1
        return found

    def _keep(self, table: KeyedTable, every: pl.DataFrame, key: Rows, sequence: Rows) -> None:
        """Put back the rows that later ones look at."""
        times, ttl = every.get_column(TIME).to_numpy(), self._step.ttl_ms
        now, until = int(times.max()), np.full(len(key), -_LAST, np.int64)
        if self._step.range_ms is not None:
            until = times + self._step.range_ms
        last = _last_of_each(sequence)
        recent = last - np.arange(len(key)) < self._back
        if ttl is not None:
            until = np.where(recent, np.maximum(until, times[last] + ttl), until)
        stays = recent & (ttl is None)
        kept = (until >= now) | stays
        marked = every.with_columns(pl.Series(UNTIL, until).set(pl.Series(stays), None))
        table.put(marked.select(*table.schema).filter(pl.Series(kept)))
        having = np.zeros(int(key[-1]) + 1, np.bool_)
        having[key[kept]] = True
        first = np.searchsorted(key, np.flatnonzero(~having))
        if len(first):
            table.delete(every[first].select(self._by))


def _numbered(rows: pl.DataFrame, sequence: Rows) -> pl.DataFrame:
    """The rows of some sequences with their numbers; the first may have one already."""
    first = np.searchsorted(sequence, sequence)
    begin = rows.get_column(ROW).fill_null(1).to_numpy()[first]
    return rows.with_columns(pl.Series(ROW, begin + np.arange(len(first)) - first, pl.Int64()))


def _last_of_each(sequence: Rows) -> Rows:
    """Position of the last row of the sequence of each row.

    >>> _last_of_each(np.array([0, 0, 1])).tolist()
    [1, 1, 2]
    """
    found: Rows = np.searchsorted(sequence, sequence, side="right") - 1
    return found
