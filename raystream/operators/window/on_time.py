"""Rows of a batch that are not late, as partials by pane and key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from raystream.context import LeftOut, SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.left_out import left_out
from raystream.operators.final_rows import final_rows
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.window.aggregates import ROWS, Aggregation
from raystream.operators.window.panes import PANE, Assigner
from raystream.operators.window.step import WindowGlobal


class OnTime:
    """What a window takes of a batch; late rows are counted, and go to `late` if it is consumed.

    Args:
        step: The merge of rows, or of partials.
        panes: Of its window.
        errors: Handles rows that cannot be computed.

    Attributes:
        took: Called with the rows themselves, where they are not partials.
    """

    def __init__(self, step: WindowGlobal, panes: Assigner, errors: RowErrors) -> None:
        self._step = step
        self._keys = list(step.aggregate.keys)
        self._panes = panes
        self._errors = errors
        self._aggregation: Aggregation | None = None
        self.took: Callable[[pl.DataFrame], None] | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Called once, before anything else."""
        self._ctx, self._output = ctx, output

    def partials(self, frame: pl.DataFrame, horizon: int, watermark: int) -> pl.DataFrame:
        """Partials with PANE and keys.

        Args:
            frame: Rows, or partials if the step merges these.
            horizon: Rows of earlier panes are late.
            watermark: For people.
        """
        if self._step.pre_aggregated:
            partials = frame.drop(TIME) if TIME in frame.columns else frame
            on_time, late = _split(partials, horizon)
            if late is not None:
                self._count(int(late[ROWS].sum()), late.select(self._keys), _of_key(watermark))
            return on_time
        rows = final_rows(frame)
        if self._aggregation is None:
            self._aggregation = Aggregation(self._step.aggregate.aggregates, rows.schema)
        on_time, late = _split(rows.with_columns(self._panes.pane()), horizon)
        if late is not None:
            self._count(late.height, late.drop(PANE), _closed(watermark))
            if self._output.consumed("late"):
                self._output.emit(Batch(late.drop(PANE)), "late")
        on_time = self._aggregation.computed(on_time, self._errors)
        if self.took is not None:
            self.took(on_time)
        return self._aggregation.partial(on_time, [PANE, *self._keys])

    def _count(self, number: int, rows: pl.DataFrame, reason: str) -> None:
        self._ctx.count("late_rows", number)
        self._ctx.sample("late_rows", partial(_told, rows, reason))


def _told(rows: pl.DataFrame, reason: str) -> list[LeftOut]:
    return left_out(rows, reason)


def _closed(watermark: int) -> str:
    return f"all windows of the row were closed, event time is at {watermark}"


def _of_key(watermark: int) -> str:
    return f"a late row of this key: {_closed(watermark)}"


def _split(frame: pl.DataFrame, horizon: int) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    lowest = frame[PANE].min()
    if not isinstance(lowest, int) or lowest >= horizon:
        return frame, None
    late = frame[PANE] < horizon
    return frame.filter(~late), frame.filter(late)
