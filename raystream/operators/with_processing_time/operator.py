"""WithProcessingTime: rows are of the time at which they come; the watermark is the clock.

The clock of a subtask never goes back, not over restarts either: a row is never late behind it.
Of the upstream watermarks only the end of input passes. Idleness does not: the clock goes on.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.operators.final_rows import final_rows
from raystream.operators.operator import Operator, Restored, StepState
from raystream.operators.with_processing_time.step import WithProcessingTime as Step
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

EVERY_MS = 50
"""Least distance of two watermarks while rows come."""

QUIET_MS = 1000
"""The same while none come: most windows are closed already."""


class WithProcessingTime(Operator):
    """The clock of one subtask."""

    def __init__(self, step: Step) -> None:
        self._last = 0
        self._told = 0
        self._ended = False
        self._had_rows = False
        self._wake = 0.0

    def restore(self, restored: Restored) -> None:
        """The clock goes on from the latest time of all subtasks."""
        self._last = max([0, *(state.header.get("last", 0) for state in restored.states)])

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows with the time of the clock."""
        self._had_rows = True
        now = pl.lit(self._now(), pl.Int64()).alias(TIME)
        self.output.emit(Batch(final_rows(batch.frame).with_columns(now)))

    def hands_on(self, news: Watermark | Idle) -> Watermark | Idle | None:
        """Only the end of input."""
        if isinstance(news, Watermark) and news.time == END_OF_TIME:
            self._ended = True
            return news
        return None

    def own_news(self) -> Iterator[Watermark | Idle]:
        """The time of the clock; a row to come may have it, too."""
        now = self._now()
        every = EVERY_MS if self._had_rows else QUIET_MS
        if not self._ended and now >= self._told + every:
            self._told, self._had_rows = now, False
            yield Watermark(now)

    def on_quiet(self, now: float) -> None:
        """No input is waiting: wake up for the next watermark."""
        self._wake = now + (EVERY_MS if self._had_rows else QUIET_MS) / 1000

    def deadline(self) -> float | None:
        """When to look at the clock again; whether input is waiting is seen then."""
        return None if self._ended or self._wake <= self.ctx.clock.now() else self._wake

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """The clock."""
        return StepState(header={"last": self._now()})

    def _now(self) -> int:
        self._last = max(self._last, self.ctx.clock.wall_ms())
        return self._last
