"""WindowJoin: rows of both streams are kept until their windows are over, and joined then.

- A window is over when the watermark reaches its end. Its rows have the last millisecond of it as
  event time, as those of an aggregation.
- A row that comes when all of its windows are over is late: counted, and given to `.late`.
- Rows with a null in their key are kept only if the join gives rows without a match.
- The end of a bounded input closes all windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.context import LeftOut
from raystream.data.batch import TIME, Batch
from raystream.data.keys import canonical
from raystream.data.left_out import left_out
from raystream.ids import HIDDEN
from raystream.operators.final_rows import final_rows
from raystream.operators.joins.columns import merged_type
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.pairs import LATE, PIECE
from raystream.operators.joins.rows import JoinedRows
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.user_code import untyped
from raystream.operators.window.open_windows import open_windows
from raystream.operators.window.panes import PANE, WINDOW_END, WINDOW_START, panes_of
from raystream.operators.window.slices import Slice, slices
from raystream.operators.window_join.matches import Matches
from raystream.operators.window_join.step import WindowJoin as Step
from raystream.state.keys import Rows
from raystream.state.run import Run
from raystream.state.time_table import TimeTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)
_LEAST_SLOT = 10_000


@dataclass(frozen=True, slots=True)
class _Side:
    """One input: its keys, its columns, and the rows of windows that are not over."""

    port: int
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    kept: StateTable[TimeTable]


class WindowJoin(PiecewiseOperator):
    """A join of the rows of each window."""

    def __init__(self, step: Step) -> None:
        self._step, self._kind = step, step.how
        self._panes = panes_of(step.window)
        self._watermark = _BEGIN
        self._sides = tuple(self._side(port) for port in (0, 1)) if step.schemas else ()
        if step.schemas:
            left, right = step.schemas
            self._joined = JoinedRows(left, right, step.on, step.how, step.suffix)
            self._full = JoinedRows(left, right, step.on, JoinKind.FULL, step.suffix)
            self._names = [f"{HIDDEN}key{number}" for number in range(len(step.on))]
            self._types = [merged_type(left.columns[a], right.columns[b]) for a, b in step.on]
        self._distinct: dict[int, tuple[Run, Rows]] = {}
        super().__init__(*(side.kept for side in self._sides))

    def _side(self, port: int) -> _Side:
        schema, keys = self._step.schemas[port], self._step.keys(port)
        types = {**canonical(schema.empty(), keys).schema, TIME: pl.Int64(), PANE: pl.Int64()}
        pane = self._panes.next_end(0) - self._panes.pane_of(0)
        make = partial(TimeTable, keys, time=PANE, width=max(pane, _LEAST_SLOT))
        kept = StateTable(("left", "right")[port], keys, make, types)
        return _Side(port, keys, tuple(schema.columns), kept)

    # -- state -----------------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """Event time."""
        return {} if self._watermark == _BEGIN else {"watermark": self._watermark}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Go on where all of them were."""
        self._watermark = max((each.get("watermark", _BEGIN) for each in headers), default=_BEGIN)

    def gauges(self) -> Mapping[str, float]:
        """Also the windows that hold rows and are not over."""
        tables = [side.kept.table for side in self._sides]
        runs = [run for table in tables if table is not None for run in table.runs]
        known = self._distinct
        self._distinct = {id(run): known.get(id(run)) or (run, _panes(run)) for run in runs}
        found = [panes for _, panes in self._distinct.values()]
        held = np.unique(np.concatenate([np.empty(0, np.int64), *found]))
        number = open_windows(self._panes, held, self._watermark)
        return {**super().gauges(), "windows_open": number}

    # -- rows ------------------------------------------------------------------------------------

    def process(self, batch: Batch, port: int = 0) -> None:
        """Keep rows until their windows are over."""
        if not self._sides:
            raise untyped(self.ctx.step, self.ctx.origin)
        self._drain()
        side = self._sides[port]
        frame = final_rows(batch.frame).select(*side.columns, TIME)
        rows = self._on_time(canonical(frame, side.keys).with_columns(self._panes.pane()), side)
        if not self._kind.unmatched(port):
            rows = rows.drop_nulls(side.keys)
        side.kept.of(rows.schema).append(rows)

    def _on_time(self, rows: pl.DataFrame, side: _Side) -> pl.DataFrame:
        over = rows[PANE] < self._panes.horizon(self._watermark)
        if not over.any():
            return rows
        late = rows.filter(over)
        self.ctx.count(LATE, late.height)
        self.ctx.sample(LATE, partial(self._late_rows, late, side))
        if self.output.consumed("late"):
            given = self._full.of(None, late) if side.port else self._full.of(late, None)
            self.output.emit(Batch(given), "late")
        return rows.filter(~over)

    def _late_rows(self, late: pl.DataFrame, side: _Side) -> list[LeftOut]:
        reason = f"all windows of the row were closed, event time is at {self._watermark}"
        return left_out(late.select(side.columns), reason)

    # -- windows ---------------------------------------------------------------------------------

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Give the windows that end now."""
        if isinstance(watermark, Idle):
            return
        reached = self._end() if watermark.time == END_OF_TIME else watermark.time
        if reached <= self._watermark:
            return
        self._drain()
        before, self._watermark = self._watermark, reached
        if self._panes.pane_of(before) < self._panes.pane_of(reached):
            self._start(self._close(before, reached))

    def _close(self, after: int, until: int) -> Iterator[None]:
        number = 0
        for part in slices(self._panes, self._counts(), after, until, by_key=True):
            frames = []
            for side in self._sides:
                rows = self._rows(side, part)
                frames.append(self._panes.explode(rows, part.after, part.until))
            for rows in self._pieces(*frames):
                if number:
                    yield  # those behind take this piece before the next is made
                number += 1
                self.output.emit(Batch(rows))
        for side in self._sides:
            side.kept.forget(self._panes.horizon(until))

    def _rows(self, side: _Side, part: Slice) -> pl.DataFrame:
        """Kept rows of a slice, with their keys under names and types of both streams."""
        table = side.kept.table
        assert table is not None
        parts = list(table.select(part.low, part.until - 1, PIECE))
        rows = pl.concat(parts) if parts else pl.DataFrame(schema=table.schema)
        keys = zip(side.keys, self._names, self._types, strict=True)
        rows = rows.with_columns(pl.col(own).cast(kind).alias(new) for own, new, kind in keys)
        if part.parts == 1:
            return rows
        return rows.filter(pl.struct(self._names).hash(seed=7) % part.parts == part.part)

    def _pieces(self, left: pl.DataFrame, right: pl.DataFrame) -> Iterator[pl.DataFrame]:
        matches = Matches(left, right, [*self._names, WINDOW_END], self._kind)
        for mine, theirs in matches.pieces(PIECE):
            window = theirs if mine is None else mine
            assert window is not None
            ends = window[WINDOW_END]
            rows = self._joined.of(mine, theirs)
            yield rows.with_columns(window[WINDOW_START], ends, (ends - 1).alias(TIME))

    def _counts(self) -> list[tuple[int, int]]:
        """Kept rows by pane, rising."""
        panes = self._kept_panes()
        names, counts = np.unique(panes, return_counts=True)
        return list(zip(names.tolist(), counts.tolist(), strict=True))

    def _end(self) -> int:
        """The watermark at which all windows with rows are over."""
        panes = self._kept_panes()
        last = self._panes.last_end(int(panes.max())) if len(panes) else self._watermark
        return max(last, self._watermark)

    def _kept_panes(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        tables = [side.kept.table for side in self._sides]
        frames = [run.frame for table in tables if table is not None for run in table.runs]
        panes = [frame[PANE].to_numpy() for frame in frames]
        found = np.concatenate([np.empty(0, np.int64), *panes])
        horizon = max((t.horizon for t in tables if t and t.horizon is not None), default=_BEGIN)
        return found[found >= horizon]


def _panes(run: Run) -> Rows:
    panes: Rows = run.frame[PANE].unique().to_numpy()
    return panes
