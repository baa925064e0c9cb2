"""SessionAggregate: sessions of the keys of a batch are extended, bridged, and closed by watermark.

- A row reaches from its event time to event time + gap. Rows of a key whose reaches touch belong
  together: two rows exactly one gap apart, too.
- A session is over when the watermark is past its reach: a row that comes exactly at the reach can
  still be on time before that. So event time is handed on one millisecond behind.
- With `allowed_lateness` it is kept for that much longer, and rows that come in between emit it
  again at once, with the bounds that it has then.
- A row is late when the session that it would belong to is over and not kept any more.
- On update every batch emits how the sessions of its keys changed, and their end emits nothing.
  With rs.early they are changes, too, once per interval of the clock and key, and at the end of a
  session; what was emitted last is state then.
- The end of a bounded input closes everything.
- Output rows have as event time the last millisecond before the end of their session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.left_out import left_out
from raystream.graph.policies import Early, OnUpdate
from raystream.operators.final_rows import final_rows
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.session.changing import SessionChanges
from raystream.operators.session.columns import (
    ALL,
    REACH,
    SESSION,
    START,
    WAKE,
    by_of,
    kept_types,
    key_types,
    output_columns,
)
from raystream.operators.session.merged import Merged, merged
from raystream.operators.session.step import SessionAggregate as Step
from raystream.operators.tables import PiecewiseOperator, StateTable, Types
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.slices import SLICE_ROWS
from raystream.state.keyed_table import KeyedTable
from raystream.state.timers import Timers
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)
_GAP = "gap"


class SessionAggregate(PiecewiseOperator):
    """Sessions of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._by = by_of(step)
        self._lateness = step.allowed_lateness_ms
        self._errors = RowErrors(step.errors)
        self._watermark = _BEGIN
        self._aggregation: Aggregation | None = None
        types: Types | None = None
        wakes: Types | None = None
        if step.columns is not None:
            columns = step.columns.columns
            self._aggregation = Aggregation(step.aggregates, {**columns, TIME: pl.Int64()})
            types = kept_types(step, self._aggregation, columns)
            wakes = {**key_types(step, columns), WAKE: pl.Int64()}
        self._of_state = self._aggregation or Aggregation(step.aggregates, None)
        upgrade = self._of_state.restored
        width = max(1000, (step.window.gap_ms or 600_000) // 10)  # part of the step's meaning
        sessions = partial(KeyedTable, self._by)
        timers = partial(Timers, self._by, time=WAKE, width=width)
        self._sessions = StateTable("sessions", step.keys, sessions, types, upgrade)
        self._timers = StateTable("timers", step.keys, timers, wakes)
        self._emitted = StateTable("emitted", step.keys, sessions, types, upgrade)
        self._changes = SessionChanges(step, self._of_state, self._errors)
        self._every = step.emit.every_ms / 1000 if isinstance(step.emit, Early) else None
        self._notes: list[pl.DataFrame] = []
        self._due: float | None = None
        own = [] if self._every is None else [self._emitted]
        super().__init__(self._sessions, self._timers, *own)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def header(self) -> Mapping[str, Any]:
        """The watermark."""
        return {"watermark": None if self._watermark == _BEGIN else self._watermark}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Continue at the watermark; whether restored sessions are emitted as they are is seen."""
        known = [header["watermark"] for header in headers if header.get("watermark") is not None]
        self._watermark = max([self._watermark, *known])
        if self._every is not None and self._sessions.table is not None:
            self._note(self._sessions.table.scan().select(self._by).unique())

    def gauges(self) -> Mapping[str, float]:
        """Also the sessions that may still change."""
        table = self._sessions.table
        return {**super().gauges(), "windows_open": 0 if table is None else table.count()}

    def process(self, batch: Batch, port: int = 0) -> None:
        """Put rows into the sessions of their keys; late ones are split off."""
        frame = final_rows(batch.frame)
        aggregation = self._known(frame)
        rows = aggregation.computed(self._with_reach(frame), self._errors)
        if not rows.height:
            return
        self._drain()
        if not self._step.keys:
            rows = rows.with_columns(pl.lit(0, pl.Int8()).alias(ALL))
        types = kept_types(self._step, aggregation, rows.schema)
        table, _ = self._sessions.fitted(pl.DataFrame(schema=types))
        found = merged(rows, self._by, table)
        self._put(aggregation, table, found, rows)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Close the sessions that nothing can extend any more."""
        if isinstance(watermark, Idle):
            return
        self._drain()
        reached = self._end() if watermark.time == END_OF_TIME else watermark.time
        if reached <= self._watermark:
            return
        before, self._watermark = self._watermark, reached
        self._advance(before, reached)

    def deadline(self) -> float | None:
        """When early results are due; not before the current output is complete."""
        return self._due if self._work is None else None

    def on_time(self, now: float) -> None:
        """Emit early results."""
        if self._due is None or now < self._due or self._work is not None:
            return
        keys = pl.concat(self._notes, how="vertical_relaxed").unique()
        self._notes, self._due = [], None
        self._start(self._told(keys))

    def hands_on(self, news: Watermark | Idle) -> Watermark | Idle | None:
        """One millisecond behind: a session whose reach is now may be emitted later."""
        if isinstance(news, Idle) or news.time == END_OF_TIME:
            return news
        return Watermark(news.time - 1)

    def _known(self, frame: pl.DataFrame) -> Aggregation:
        if self._aggregation is None:
            self._aggregation = Aggregation(self._step.aggregates, frame.schema)
        return self._aggregation

    def _with_reach(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add how far each row reaches; rows without a gap go by the error policy."""
        window = self._step.window
        if window.column is None:
            return frame.with_columns((pl.col(TIME) + window.gap_ms).alias(REACH))
        gap = pl.col(window.column)
        if isinstance(frame.schema[window.column], pl.Duration):
            gap = gap.dt.total_milliseconds()
        gap = gap.cast(pl.Int64, strict=False)
        wrong = pl.concat_str(
            pl.lit(f"the gap {window.column!r} is "),
            gap.cast(pl.String).fill_null("null"),
            pl.lit(", not more than 0 ms"),
        )
        good = (gap > 0) & (gap <= _LONGEST)
        checked = frame.select(pl.when(~good.fill_null(value=False)).then(wrong).alias(_GAP))
        rows = self._errors.without(frame, checked.to_series())
        return rows.with_columns((pl.col(TIME) + gap).alias(REACH))

    def _put(
        self, aggregation: Aggregation, table: KeyedTable, found: Merged, rows: pl.DataFrame
    ) -> None:
        """Write back all sessions of the keys, and emit those that were over already."""
        alive = found.reach + self._lateness >= self._watermark
        on_time = alive[found.session_of_rows]
        if not on_time.all():
            self._leave_out(rows.filter(pl.Series(~on_time)))
            rows = rows.filter(pl.Series(on_time))
        if not rows.height:
            return
        self._took(rows)
        numbers = pl.Series(SESSION, found.session_of_rows[on_time])
        news = aggregation.partial(rows.with_columns(numbers), [SESSION])
        kept = found.kept.select(news.columns)
        both = pl.concat([kept, news], how="vertical_relaxed")  # integers of several widths
        together = aggregation.merge(both, SESSION)
        which = together[SESSION].to_numpy()
        types = [pl.col(name).cast(kind) for name, kind in table.schema.items()]
        bounds = found.bounds()
        sessions = together.hstack(bounds[which]).select(types)
        table.put(sessions)
        over = found.reach < self._watermark
        new = found.has_rows & alive
        wake = pl.Series(found.reach + 1).set(pl.Series(over), None)
        later = pl.Series(found.reach + self._lateness + 1)
        self._wake(
            bounds.select(*self._by, wake.fill_null(later).alias(WAKE)).filter(
                pl.Series(new & (over | ~found.is_waited_for(self._watermark)))
            )
        )
        if isinstance(self._step.emit, OnUpdate):
            self._emit(self._changes.between(found.kept.select(*table.schema), sessions))
        elif self._every is not None:
            self._note(rows.select(self._by).unique())
        else:
            again = sessions.filter(pl.Series((new & over)[which]))
            self._start(self._closed(again))

    def _took(self, rows: pl.DataFrame) -> None:
        """Rows that are not late."""

    def _advance(self, before: int, reached: int) -> None:
        timers = self._timers.table
        due = None if timers is None else timers.due(reached)
        if due is None or not due.height:
            return
        keys = due.select(self._by).unique(maintain_order=True)
        if self._every is not None:
            self._start(self._told(keys, reached))
            return
        rows = self._without_past(keys, reached)
        if not isinstance(self._step.emit, OnUpdate):
            over = (pl.col(REACH) < reached) & (pl.col(REACH) >= before)
            self._start(self._closed(rows.filter(over)))

    def _without_past(self, keys: pl.DataFrame, reached: int) -> pl.DataFrame:
        """Drop the sessions of some keys that are over for good; all that there were."""
        table = self._sessions.table
        assert table is not None, "its keys are known"
        who, rows = table.find(keys)
        left = rows[REACH] + self._lateness >= reached
        self._remove(table, keys, rows, pl.Series(who), left)
        wake = (
            pl.when(pl.col(REACH) >= reached)
            .then(pl.col(REACH))
            .otherwise(pl.col(REACH) + self._lateness)
        )
        remaining = rows.filter(left)
        self._wake(remaining.select(*self._by, (wake + 1).alias(WAKE)))
        return rows

    def _remove(
        self,
        table: KeyedTable,
        keys: pl.DataFrame,
        rows: pl.DataFrame,
        who: pl.Series,
        left: pl.Series,
    ) -> None:
        """Drop what is not left."""
        if left.all():
            return
        having = who.filter(left).unique()
        numbers = pl.int_range(keys.height, dtype=pl.Int64, eager=True)
        gone = keys.filter(~numbers.is_in(having.implode()))
        for each in (table, self._emitted.table):
            if each is not None:
                each.put(rows.filter(left))
                each.delete(gone)

    def _wake(self, rows: pl.DataFrame) -> None:
        if rows.height:
            timers, fitted = self._timers.fitted(rows)
            timers.register(fitted)

    def _note(self, keys: pl.DataFrame) -> None:
        """Early results of these keys are due in an interval."""
        self._notes.append(keys)
        if len(self._notes) > _MOST_NOTES:
            self._notes = [pl.concat(self._notes, how="vertical_relaxed").unique()]
        if self._due is None and self._every is not None:
            self._due = self.ctx.clock.now() + self._every

    def _told(self, keys: pl.DataFrame, reached: int | None = None) -> Iterator[None]:
        """Emit how sessions changed since they were emitted; drop those that `reached` ends."""
        table = self._sessions.table
        assert table is not None, "its keys are known"
        for first in range(0, keys.height, SLICE_ROWS):
            if first:
                yield  # those behind take this slice before the next is made
            part = keys[first : first + SLICE_ROWS]
            emitted, now = self._emitted.fitted(table.find(part)[1])
            self._emit(self._changes.between(emitted.find(part)[1], now))
            emitted.put(now)
            if reached is not None:
                self._without_past(part, reached)

    def _closed(self, sessions: pl.DataFrame) -> Iterator[None]:
        """Emit sessions by their end, a slice at a time."""
        ordered = sessions.sort(REACH, START)
        for first in range(0, ordered.height, SLICE_ROWS):
            if first:
                yield  # those behind take this slice before the next is made
            finished = self._of_state.finish(ordered[first : first + SLICE_ROWS])
            finished.count_cut(self.ctx)
            rows = finished.frame.select(output_columns(self._step))
            if finished.reasons is not None:
                rows = self._errors.without(rows, finished.reasons)
            self._emit(rows)

    def _emit(self, rows: pl.DataFrame) -> None:
        if rows.height:
            self.output.emit(Batch(rows))

    def _leave_out(self, late: pl.DataFrame) -> None:
        self.ctx.count("late_rows", late.height)
        self.ctx.sample("late_rows", partial(self._late_rows, late))
        if self.output.consumed("late"):
            own = [name for name in (ALL, REACH) if name in late.columns]
            self.output.emit(Batch(late.drop(own)), "late")

    def _late_rows(self, late: pl.DataFrame) -> list[LeftOut]:
        reason = f"the session of the row is over, event time is at {self._watermark}"
        return left_out(late, reason)

    def _end(self) -> int:
        """The watermark at which all sessions of the state are over."""
        table = self._sessions.table
        last = None if table is None or not len(table) else table.scan()[REACH].max()
        if not isinstance(last, int):
            return self._watermark
        return max(self._watermark, last + self._lateness + 1)


_LONGEST = 2**53
"""Longest gap, ms."""

_MOST_NOTES = 64
