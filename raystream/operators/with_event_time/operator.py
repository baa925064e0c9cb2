"""WithEventTime: assign another event time to rows, and emit watermarks from here on.

Of the upstream watermarks only idleness and the end of input pass. The watermark is that of this
subtask: the highest time of its rows - out-of-orderness - 1 ms; splits are not known here. It
emits none until its first row; without a row for `idle_timeout`, and with no input waiting, it is
idle and does not delay the watermark.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.left_out import left_out
from raystream.formats.moments import Unit
from raystream.graph.policies import ErrorPolicy
from raystream.operators.event_times import EventTimes, Timed
from raystream.operators.operator import Operator, Output, Restored, StepState
from raystream.operators.row_errors import RowErrors
from raystream.operators.with_event_time.step import WithEventTime as Step
from raystream.time.watermark import END_OF_TIME, Idle, Watermark


class WithEventTime(Operator):
    """New event time for the rows of one subtask."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._unit = Unit(step.event_time_unit, step.time_zone)
        self._strategy = step.watermark
        self._times: EventTimes | None = None
        self._errors = RowErrors(step.errors)
        self._highest: int | None = None
        self._told: int | None = None
        self._idle = False
        self._rested = False
        self._quiet_since: float | None = None
        self._news: list[Watermark | Idle] = []

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """The step's policy handles rows without a time."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def restore(self, restored: Restored) -> None:
        """Event time resumes from the subtask that was furthest behind."""
        told = [state.header.get("highest") for state in restored.states]
        known = [highest for highest in told if highest is not None]
        if known and (len(known) == len(told) or restored.redistribute):
            self._highest = min(known)
            self._speak()
        self._rested = any(state.header.get("idle") for state in restored.states)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows with their new time; drop those that have none."""
        frame = self._timed(batch.frame)
        if not frame.height:
            return
        self.output.emit(Batch(frame))
        highest = frame.get_column(TIME).max()
        assert isinstance(highest, int)
        self._highest = highest if self._highest is None else max(self._highest, highest)
        self._quiet_since, self._rested = None, False
        self._speak()

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Ignore upstream watermarks, which are about another event time: see `hands_on`."""

    def hands_on(self, news: Watermark | Idle) -> Watermark | Idle | None:
        """Only the end of input, and idleness."""
        if isinstance(news, Watermark):
            return news if news.time == END_OF_TIME else None
        self._idle = True
        return news

    def own_news(self) -> Iterator[Watermark | Idle]:
        """Watermarks to emit downstream; removes them."""
        while self._news:
            yield self._news.pop(0)

    def on_quiet(self, now: float) -> None:
        """No input is waiting: idle after the timeout."""
        timeout = self._strategy.idle_timeout_ms
        if self._quiet_since is None:
            self._quiet_since = now
        if timeout is None or self._idle:
            return
        if self._rested or (now - self._quiet_since) * 1000 >= timeout:
            self._idle = True
            self._news.append(Idle())

    def deadline(self) -> float | None:
        """When it may become idle: whether input is waiting is checked then."""
        timeout = self._strategy.idle_timeout_ms
        if timeout is None or self._idle or self._quiet_since is None:
            return None
        due = self._quiet_since + timeout / 1000
        return due if due > self.ctx.clock.now() else None

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """The highest time; an idle subtask need not wait for the timeout again."""
        return StepState(header={"highest": self._highest, "idle": self._idle})

    def _speak(self) -> None:
        assert self._highest is not None
        time = self._highest - self._strategy.out_of_orderness_ms - 1
        if self._told is None or time > self._told or self._idle:
            self._told = time if self._told is None else max(time, self._told)
            self._idle = False
            self._news.append(Watermark(self._told))

    def _timed(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._times is None:
            self._times = EventTimes(self._step.event_time, self._unit, frame.schema)
        timed = self._times.of(frame)
        whole = frame.with_columns(timed.times)
        limit = self._limit()
        highest = timed.times.max()
        known = not timed.times.null_count() and isinstance(highest, int)
        if known and limit is not None and highest <= limit:  # type: ignore[operator]
            return whole
        if limit is None:
            return self._errors.without(whole, self._reasons(timed, timed.unusable()))
        late = (timed.times > limit).fill_null(value=False)
        self._count_future(frame.filter(late), _beyond(limit))
        reasons = self._reasons(timed, timed.unusable() & ~late)
        if self._step.errors is ErrorPolicy.DLQ:  # they never stop the job, but may be letters
            reasons = reasons.set(late, _beyond(limit))
            return self._errors.without(whole, reasons)
        return self._errors.without(whole.filter(~late), reasons.filter(~late))

    def _reasons(self, timed: Timed, bad: pl.Series) -> pl.Series:
        told: list[str | None] = [None] * len(bad)
        for row in bad.arg_true().to_list():
            told[row] = timed.reason(row)
        return pl.Series("reason", told, dtype=pl.String)

    def _limit(self) -> int | None:
        ahead = self._strategy.max_future_ms
        return None if ahead is None else self.ctx.clock.wall_ms() + ahead

    def _count_future(self, rows: pl.DataFrame, reason: str) -> None:
        if not rows.height:
            return
        self.ctx.count("future_rows", rows.height)

        def told() -> list[LeftOut]:
            return left_out(rows.head(3), reason)

        self.ctx.sample("future_rows", told)


def _beyond(limit: int) -> str:
    return f"event time is later than the wall clock by more than max_future ({limit})"
