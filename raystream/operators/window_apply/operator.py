"""WindowApply, SessionApply: windows that keep their rows, and give them to the user's function.

Which windows close, which rows are late, and when, is that of the windows with aggregates: these
run with no aggregate, and tell key and bounds of each closed window. The rows are kept beside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import ORDER, TIME
from raystream.graph.windows import Session
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.session.columns import START
from raystream.operators.session.operator import SessionAggregate
from raystream.operators.session.step import SessionAggregate as SessionStep
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.window.operator import WindowGlobal
from raystream.operators.window.step import WindowAggregate as WindowStep
from raystream.operators.window.step import WindowGlobal as MergeStep
from raystream.operators.window_apply.applied import Applied
from raystream.operators.window_apply.columns import ARRIVAL
from raystream.operators.window_apply.ended import Ended
from raystream.operators.window_apply.fewer import Fewer, Grouping, of_panes, of_sessions
from raystream.operators.window_apply.step import WindowApply as Step
from raystream.state.keyed_table import KeyedTable
from raystream.state.time_table import TimeTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_SLOT_MS = 1000


class KeptRows:
    """The rows of windows that are not over.

    Args:
        step: The step.
        length: Of a window, ms.
    """

    def __init__(self, step: Step, length: int) -> None:
        self._step = step
        make = partial(TimeTable, list(step.keys) or [ALL], time=TIME, width=max(_SLOT_MS, length))
        self.table: StateTable[TimeTable] = StateTable("rows", step.keys, make)
        self.next = 0
        self._fewer: Fewer | None = None

    def shrinks_by(self, grouping: Grouping, watermark: Callable[[], int]) -> None:
        """Replace rows of open windows by fewer, which say the same."""
        self._fewer = Fewer(self._step, grouping, watermark)

    def keep(self, rows: pl.DataFrame) -> None:
        """Add rows that are on time."""
        if not rows.height:
            return
        if self._fewer is not None and self.table.table is not None:
            self._fewer.replace(self.table.table)
        own = [n for n in rows.columns if n in (TIME, ORDER) or not n.startswith(HIDDEN)]
        place = pl.int_range(self.next, self.next + rows.height, dtype=pl.Int64()).alias(ARRIVAL)
        everybody = [] if self._step.keys else [pl.lit(0, pl.Int8()).alias(ALL)]
        self.next += rows.height
        table, fitted = self.table.fitted(rows.select(*own, *everybody, place))
        table.append(fitted)

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Number rows behind those of all subtasks."""
        self.next = max([0, *(header.get("next", 0) for header in headers)])


class _Applying(PiecewiseOperator):
    """What both kinds of windows do with the rows that they keep for the function."""

    _apply: Step
    _rows: KeptRows
    _failures: RowErrors
    _ended: Ended | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Put the function in front of the output."""
        self._failures.open(ctx, output)
        applied = Applied(self._apply, self._rows.table, self._failures, output, self._ended)
        super().open(ctx, applied)

    def header(self) -> Mapping[str, Any]:
        """The watermark, and the number of the next row."""
        return {**super().header(), "next": self._rows.next}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Continue where the subtasks were."""
        super().resume(headers)
        self._rows.resume(headers)


class WindowApply(_Applying, WindowGlobal):
    """Windows of event time of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        assert not isinstance(step.window, Session)
        lateness = step.allowed_lateness_ms
        asked = WindowStep(
            step.keys, step.window, {}, allowed_lateness_ms=lateness, errors=step.errors
        )
        super().__init__(MergeStep(asked, False, step.columns))
        first = self._panes.pane_of(0)
        self._apply, self._rows = step, KeptRows(step, self._panes.last_end(first) - first)
        self._failures = RowErrors(step.errors)
        self._tables[self._rows.table.name] = self._rows.table
        self._on_time.took = self._rows.keep
        shares = step.shares_panes()
        if shares or (shares is False and self._panes.single):
            self._rows.shrinks_by(of_panes(self._panes, step.keys), lambda: self._watermark)

    def _forget(self, until: int) -> None:
        super()._forget(until)
        self._rows.table.forget(self._panes.horizon(until))


class SessionApply(_Applying, SessionAggregate):
    """Sessions of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        assert isinstance(step.window, Session)
        lateness, columns = step.allowed_lateness_ms, step.columns
        super().__init__(
            SessionStep(step.keys, step.window, {}, lateness, step.errors, columns=columns)
        )
        self._gap = step.window.gap_ms or 0
        self._apply, self._rows = step, KeptRows(step, self._gap)
        self._failures = RowErrors(step.errors)
        self._tables[self._rows.table.name] = self._rows.table
        self._ended: Ended = Ended(step.keys, self._gap)
        self._tables[self._ended.table.name] = self._ended.table
        self._forgotten: int | None = None
        if step.shares_panes() is not None:
            grouping = of_sessions(lambda: self._sessions.table, self._ended, step.keys, self._gap)
            self._rows.shrinks_by(grouping, lambda: self._watermark)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Close sessions; once in a gap forget the rows of those that are closed."""
        if isinstance(watermark, Watermark) and watermark.time != END_OF_TIME:
            self._drain()
            last = self._forgotten
            if last is None or watermark.time - last > self._gap + self._lateness:
                self._forgotten = watermark.time
                self._forget()
        super().on_watermark(watermark)

    def _took(self, rows: pl.DataFrame) -> None:
        self._rows.keep(rows)

    def _remove(
        self,
        table: KeyedTable,
        keys: pl.DataFrame,
        rows: pl.DataFrame,
        who: pl.Series,
        left: pl.Series,
    ) -> None:
        super()._remove(table, keys, rows, who, left)
        self._ended.add(rows.filter(~left), self._rows.next)

    def _forget(self) -> None:
        """Rows before all that an open session, or one to come, may have."""
        table = self._sessions.table
        first = None if table is None or not len(table) else table.scan()[START].min()
        horizon = self._watermark if not isinstance(first, int) else min(first, self._watermark)
        if horizon > -(2**61):
            horizon -= self._gap + self._lateness + 1
            self._rows.table.forget(horizon)
            self._ended.forget(horizon)
