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

from collections.abc import Iterator, Mapping
from functools import partial

import polars as pl

from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import Batch
from raystream.data.left_out import left_out
from raystream.data.segment import Segment
from raystream.errors import ConfigurationError
from raystream.graph.policies import Early
from raystream.operators.operator import Operator, Output, Restored, StepState
from raystream.operators.row_errors import RowErrors
from raystream.operators.window.aggregates import ROWS, Aggregation
from raystream.operators.window.columns import output_columns
from raystream.operators.window.early import ChangedPanes, final_rows
from raystream.operators.window.panes import WINDOW_END, WINDOW_START, panes_of
from raystream.operators.window.slices import slices
from raystream.operators.window.step import WindowGlobal as Step
from raystream.state.redistribute import owned
from raystream.state.windowed import PANE, WindowedState
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)


class WindowGlobal(Operator):
    """Windowed aggregation of the keys that this subtask owns."""

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
        self._work: Iterator[None] | None = None
        self._watermark = _BEGIN
        columns = step.columns.columns if step.columns is not None else None
        self._aggregation = Aggregation(self._asked.aggregates, columns)
        self._over_rows: Aggregation | None = None
        self._errors = RowErrors(self._asked.errors)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Prefix segment ids with the attempt."""
        super().open(ctx, output)
        self._errors.open(ctx, output)
        self._state = WindowedState(self._keys, self._aggregation.merge, str(ctx.attempt))

    def restore(self, restored: Restored) -> None:
        """Restore the partials of the owned keys, and the watermark."""
        for state in restored.states:
            watermark = state.header.get("watermark")
            if watermark is not None:
                self._watermark = max(self._watermark, watermark)
        if restored.redistribute:
            for state in restored.states:
                for frame in map(self._share, state.segments):
                    self._restart(frame)
                    self._state.append(frame)
            return
        segments = [
            Segment(segment.id, self._aggregation.restored(self._checked(segment).frame))
            for state in restored.states
            for segment in state.segments
        ]
        self._state.restore(segments)
        for segment in segments:
            self._restart(segment.frame)

    def _checked(self, segment: Segment) -> Segment:
        """State whose keys have another type belongs to other owners."""
        columns = self._step.columns
        for key in self._keys:
            was = segment.frame.schema[key]
            now = was if columns is None else columns.columns.get(key, was)
            if was != now and not (was.is_integer() and now.is_integer()):  # the owner is the same
                what = f"the state is kept by key {key!r} of type {was}, which is {now} now"
                advice = (
                    f"make it {was} again, or give the step another name and run once with "
                    "--allow-non-restored-state"
                )
                raise ConfigurationError(what, self.ctx.origin, advice)
        return segment

    def process(self, batch: Batch, port: int = 0) -> None:
        """Add rows or partials to the state; late ones are split off."""
        partials = self._on_time_partials(batch.frame)
        if not partials.height:
            return
        self._drain()
        self._state.append(partials)
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
        self._work = self._advance(before, reached)
        self.proceed()

    def has_more(self) -> bool:
        """Whether closed windows, or early rows that are due, are not all emitted."""
        return self._work is not None

    def proceed(self) -> None:
        """Emit the next slice of them."""
        if self._work is not None and next(self._work, self) is self:
            self._work = None

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
        self._work = self._tell_changed(None, final=False)
        self.proceed()

    def _drain(self) -> None:
        """The previous step emitted two batches at once: pending output is of the earlier state."""
        while self._work is not None:
            self.proceed()

    def _tell_changed(self, until: int | None, *, final: bool) -> Iterator[None]:
        after = self._watermark - self._lateness
        parts = self._changed.take(self._state, self._aggregation.merge, after, until)
        for number, merged in enumerate(parts):
            if number:
                yield  # those behind take this slice before the next is made
            self._emit(merged, final=final)

    def gauges(self) -> Mapping[str, float]:
        """Memory of the open windows."""
        return {"state_bytes": self._state.size_bytes()}

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """Segments of partials, and the watermark."""
        watermark = None if self._watermark == _BEGIN else self._watermark
        return StepState(self._state.snapshot(), {"watermark": watermark})

    def _on_time_partials(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._step.pre_aggregated:
            on_time, late = self._split_late(frame)
            if late is not None:
                self.ctx.count("late_rows", int(late[ROWS].sum()))
                self.ctx.sample("late_rows", partial(self._late_keys, late))
            return on_time
        rows = final_rows(frame)
        if self._over_rows is None:
            self._over_rows = Aggregation(self._asked.aggregates, rows.schema)
        on_time, late = self._split_late(rows.with_columns(self._panes.pane()))
        if late is not None:
            self.ctx.count("late_rows", late.height)
            self.ctx.sample("late_rows", partial(self._late_rows, late))
            if self.output.consumed("late"):
                self.output.emit(Batch(late.drop(PANE)), "late")
        on_time = self._over_rows.computed(on_time, self._errors)
        return self._over_rows.partial(on_time, [PANE, *self._keys])

    def _late_keys(self, late: pl.DataFrame) -> list[LeftOut]:
        return left_out(late.select(self._keys), f"a late row of this key: {self._reason()}")

    def _late_rows(self, late: pl.DataFrame) -> list[LeftOut]:
        return left_out(late.drop(PANE), self._reason())

    def _reason(self) -> str:
        return f"all windows of the row were closed, event time is at {self._watermark}"

    def _split_late(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
        horizon = self._panes.horizon(self._watermark - self._lateness)
        lowest = frame[PANE].min()
        if not isinstance(lowest, int) or lowest >= horizon:
            return frame, None
        late = frame[PANE] < horizon
        return frame.filter(~late), frame.filter(late)

    def _update_closed(self, partials: pl.DataFrame) -> None:
        """Emit windows again that were emitted but are kept."""
        touched = partials.filter(self._panes.end() <= self._watermark)
        if not touched.height:
            return
        self._changed.note(touched)
        self._work = self._tell_changed(self._watermark, final=True)
        self.proceed()

    def _close_windows(self, after: int, until: int) -> Iterator[None]:
        by = [WINDOW_START, WINDOW_END, *self._keys]
        counts = self._state.pane_counts()
        parts = slices(self._panes, counts, after, until, by_key=bool(self._keys))
        for number, part in enumerate(parts):
            if number:
                yield  # those behind take this slice before the next is made
            rows = self._state.select(part.low, part.until)
            if rows is None:
                continue
            windows = self._panes.explode(part.of_keys(rows, self._keys), part.after, part.until)
            self._emit(self._aggregation.merge(windows, by), final=True)

    def _forget(self, until: int) -> None:
        self._state.drop_before(self._panes.horizon(until))
        self._state.relabel = self._panes.coalesced(until)
        if self._state.relabel is not None:
            self._state.compact()

    def _emit(self, merged: pl.DataFrame | None, *, final: bool) -> None:
        if merged is None or not merged.height:
            return
        finished = self._aggregation.finish(merged.sort(WINDOW_END))
        rows = finished.frame.select(output_columns(self._asked, final=final))
        if finished.reasons is not None:
            rows = self._errors.without(rows, finished.reasons)
        if rows.height:
            self.output.emit(Batch(rows))

    def _note(self, partials: pl.DataFrame) -> None:
        self._changed.note(partials)
        if self._changed and self._due is None and self._every is not None:
            self._due = self.ctx.clock.now() + self._every

    def _share(self, segment: Segment) -> pl.DataFrame:
        me = self.ctx
        frame = self._aggregation.restored(self._checked(segment).frame)
        return owned(frame, self._keys, me.subtask.index, me.parallelism)

    def _restart(self, frame: pl.DataFrame) -> None:
        """Emit early rows of restored windows again."""
        if self._every is not None:
            self._note(frame)

    def _end(self) -> int:
        """The watermark at which all windows of the state are closed."""
        last = self._state.last_pane()
        return self._watermark if last is None else self._panes.last_end(last) + self._delay
