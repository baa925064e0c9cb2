"""PairJoin: each row is compared with the rows of the other stream that are kept.

- A pair is given when the later of its rows arrives, with the greater event time of both.
- Rows are kept until the watermark says that no partner can come (`Condition`). Then those without
  a match are given, if the kind of join asks for them. Event time is handed on so late that these
  rows, and pairs of rows behind the watermark, are not late downstream.
- A row that arrives when its time is over is late: counted (`late_rows`), and given to `.late`.
- Keys with a null meet nothing.
- The end of a bounded input gives the rows without a match; the others stay for the next run.
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
from raystream.operators.joins.condition import FOREVER, UNTIL, Condition
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.rows import JoinedRows, keys_as
from raystream.operators.joins.step import JoinStep
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.user_code import untyped
from raystream.state.keys import Mask, Rows
from raystream.state.time_table import TimeTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

LATE = "late_rows"
"""Counter of rows whose time was over when they arrived."""

PIECE = 20_000
"""Rows that are emitted at once."""

_ID, _HIT = f"{HIDDEN}id", f"{HIDDEN}hit"
_BEGIN = -(2**62)


@dataclass(frozen=True, slots=True)
class _Side:
    """One input.

    Args:
        port: Its number.
        keys: Its key columns.
        columns: Those that joined rows have of it.
        kept: Rows that may still meet a row of the other input.
        marks: Those of them that had their first match after they were kept; None: nobody asks.
        given: Whether rows without a match are given.
    """

    port: int
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    kept: StateTable[TimeTable]
    marks: StateTable[TimeTable] | None
    given: bool


class PairJoin(PiecewiseOperator):
    """A join whose pairs are known as soon as both rows are.

    Args:
        step: What is asked.
        condition: Which pairs meet.
    """

    def __init__(self, step: JoinStep, condition: Condition) -> None:
        self._step, self._condition, self._kind = step, condition, step.how
        self._watermark = self._handed = _BEGIN
        self._chunk = PIECE
        self._next = 0
        self._sides = tuple(self._side(port) for port in (0, 1)) if step.schemas else ()
        if step.schemas:
            left, right = step.schemas
            self._pairs = JoinedRows(left, right, step.on, step.how, step.suffix)
            self._full = JoinedRows(left, right, step.on, JoinKind.FULL, step.suffix)
        tables = [table for s in self._sides for table in (s.kept, s.marks) if table is not None]
        super().__init__(*tables)

    def _side(self, port: int) -> _Side:
        step, schema = self._step, self._step.schemas[port]
        keys, tracked = step.keys(port), self._kind.tracked(port)
        frame = canonical(schema.empty(), keys)
        types = {**frame.schema, TIME: pl.Int64(), UNTIL: pl.Int64()}
        types |= {} if port else self._condition.extra
        own = {_ID: pl.Int64(), _HIT: pl.Boolean()} if tracked else {}
        make = partial(TimeTable, keys, time=UNTIL, width=self._condition.width[port])
        name = ("left", "right")[port]
        kept = StateTable(name, keys, make, {**types, **own})
        marked = {**{key: types[key] for key in keys}, UNTIL: pl.Int64(), _ID: pl.Int64()}
        marks = StateTable(f"{name}Matched", keys, make, marked) if tracked else None
        return _Side(port, keys, tuple(schema.columns), kept, marks, self._kind.unmatched(port))

    # -- state -----------------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """Event time, and the number of the next row."""
        times = {"watermark": self._watermark, "handed": self._handed}
        return {**{n: t for n, t in times.items() if t != _BEGIN}, "next": self._next}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Go on where all of them were."""
        self._watermark = max((each.get("watermark", _BEGIN) for each in headers), default=_BEGIN)
        self._handed = min((each.get("handed", _BEGIN) for each in headers), default=_BEGIN)
        self._next = max((each.get("next", 0) for each in headers), default=0)

    # -- rows ------------------------------------------------------------------------------------

    def process(self, batch: Batch, port: int = 0) -> None:
        """Give the pairs of these rows with the rows that are kept, then keep them."""
        self._drain()
        if not self._sides:
            raise untyped(self.ctx.step, self.ctx.origin)
        side = self._sides[port]
        frame = final_rows(batch.frame).select(*side.columns, TIME)
        rows = self._on_time(self._condition.timed(canonical(frame, side.keys), port), side)
        if rows.height:
            self._start(self._joined(rows, side))

    def _on_time(self, rows: pl.DataFrame, side: _Side) -> pl.DataFrame:
        """Rows that may still meet others; late ones and those with nulls are dealt with."""
        over = (rows[UNTIL] < self._watermark).fill_null(value=False)
        if self._kind.tracked(side.port):  # given by itself, it would be late downstream
            over |= rows[TIME] < self._handed
        if over.any():
            self._leave_out(rows.filter(over), side)
            rows = rows.filter(~over)
        wanted = [*side.keys, UNTIL, *([] if side.port else self._condition.extra)]
        if any(rows[name].null_count() for name in wanted):
            alone = rows.select(pl.any_horizontal(pl.col(wanted).is_null())).to_series()
            if side.given:
                self._give_alone(rows.filter(alone), side)
            rows = rows.filter(~alone)
        return rows

    def _leave_out(self, late: pl.DataFrame, side: _Side) -> None:
        self.ctx.count(LATE, late.height)
        self.ctx.sample(LATE, partial(self._late_rows, late, side))
        if self.output.consumed("late"):
            self.output.emit(Batch(self._full.of(*_beside(late, None, side))), "late")

    def _late_rows(self, late: pl.DataFrame, side: _Side) -> list[LeftOut]:
        reason = f"all rows that it could meet are gone, event time is at {self._watermark}"
        return left_out(late.select(side.columns), reason)

    def _joined(self, rows: pl.DataFrame, side: _Side) -> Iterator[None]:
        other = self._sides[1 - side.port]
        hit = np.zeros(rows.height, np.bool_)
        number = 0
        for who, found in self._probe(rows, side, other):
            hit[who] = True
            first = who[:0] if other.marks is None else self._mark(found, other)
            for frame in self._output(rows, who, found, side, first):
                if number:
                    yield  # those behind take this piece before the next is made
                number += 1
                self.output.emit(Batch(frame))
        self._keep(rows, hit, side)

    def _probe(
        self, rows: pl.DataFrame, side: _Side, other: _Side
    ) -> Iterator[tuple[Rows, pl.DataFrame]]:
        """Numbers of rows and their partners; few rows at once where each has many."""
        table = other.kept.table
        assert table is not None
        low, high = self._condition.reach(rows, side.port)
        asked = keys_as(rows, side.keys, other.keys, table.schema)
        first = 0
        while first < rows.height and len(table):
            end = first + self._chunk
            who, found = table.fetch(asked[first:end], low[first:end], high[first:end])
            if found.height > 4 * PIECE:
                self._chunk = max(1, self._chunk // 4)
            elif found.height < PIECE:
                self._chunk = min(PIECE, self._chunk * 2)
            who, first = who + first, end
            meet = self._condition.meet(*_beside(rows[who], found, side)) if found.height else None
            if meet is not None:
                who, found = who[meet], found.filter(pl.Series(meet))
            if found.height:
                yield who, found

    def _output(
        self, rows: pl.DataFrame, who: Rows, found: pl.DataFrame, side: _Side, first: Rows
    ) -> Iterator[pl.DataFrame]:
        """Frames for these pairs; `first`: partners that had no match before."""
        if self._kind.pairs:
            for start in range(0, len(who), PIECE):
                mine, theirs = rows[who[start : start + PIECE]], found[start : start + PIECE]
                yield self._pairs.of(*_beside(mine, theirs, side))
        elif self._kind is JoinKind.SEMI:
            given = found[first] if side.port else rows[np.unique(who)]
            for start in range(0, given.height, PIECE):
                yield self._pairs.of(given[start : start + PIECE], None)

    def _keep(self, rows: pl.DataFrame, hit: Mask, side: _Side) -> None:
        table = side.kept.table
        assert table is not None
        if side.marks is not None:
            ids = self._new_ids(rows.height)
            rows = rows.with_columns(pl.Series(_ID, ids), pl.Series(_HIT, hit))
            if not self._kind.pairs:  # of these rows only the first match matters
                rows = rows.filter(~pl.col(_HIT))
        side.kept.of(rows.schema).append(rows)

    def _new_ids(self, rows: int) -> Rows:
        """Numbers that no row of another subtask has, nor had before a rescale."""
        width, index = self.ctx.parallelism, self.ctx.subtask.index
        first = -(-self._next // width)
        self._next = (first + rows) * width
        return (first + np.arange(rows)) * width + index

    def _mark(self, found: pl.DataFrame, side: _Side) -> Rows:
        """Note which kept rows have a match now; returns those that had none, each once."""
        assert side.marks is not None
        marks = side.marks.table
        assert marks is not None
        fresh = np.flatnonzero(~found[_HIT].to_numpy())
        ids, at = np.unique(found[_ID].to_numpy()[fresh], return_index=True)
        rows = found[fresh[at]]
        until = rows[UNTIL].to_numpy()
        known = marks.fetch(rows.select(side.keys), until, until)[1][_ID].to_numpy()
        new = ~np.isin(ids, known)
        marks.append(rows.filter(pl.Series(new)))
        first: Rows = fresh[at][new]
        return first

    # -- time ------------------------------------------------------------------------------------

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Give rows without a match whose time is over, and forget all whose time is over."""
        if isinstance(watermark, Idle) or watermark.time <= self._watermark:
            return
        self._drain()
        if watermark.time == END_OF_TIME:
            self._start(self._end())
            return
        before, self._watermark = self._watermark, watermark.time
        self._start(self._advance(before, watermark.time - 1))

    def hands_on(self, news: Watermark | Idle) -> Watermark | Idle | None:
        """Hold event time behind the rows that may still be given."""
        if isinstance(news, Idle) or news.time == END_OF_TIME:
            return news
        left, right = self._kind.tracked(0), self._kind.tracked(1)
        behind = self._condition.behind(news.time, left=left, right=right)
        if left and self._condition.extra:
            behind = min(behind, self._oldest())
        self._handed = max(self._handed, behind)
        return Watermark(self._handed)

    def _oldest(self) -> int:
        """The least event time of kept rows of the left stream, where no bound is known."""
        table = self._sides[0].kept.table if self._sides else None
        times = [FOREVER]
        for run in table.runs if table is not None else ():
            until, time = run.frame[UNTIL].to_numpy(), run.frame[TIME].to_numpy()
            alive = time[(until >= self._watermark) & ~run.frame[_HIT].to_numpy()]
            times += [int(alive.min())] if len(alive) else []
        return min(times)

    def _advance(self, low: int, high: int) -> Iterator[None]:
        number = 0
        for side in self._sides:
            for frame in self._alone(side, low, high) if side.given else ():
                if number:
                    yield  # those behind take this piece before the next is made
                number += 1
                self._give_alone(frame, side)
        for side in self._sides:
            for table in (side.kept, side.marks):
                if table is not None:
                    table.forget(high + 1)

    def _alone(self, side: _Side, low: int, high: int) -> Iterator[pl.DataFrame]:
        """Kept rows without a match, whose time is over from `low` to `high`."""
        marked = self._marked(side, low, high)
        assert side.kept.table is not None
        for rows in side.kept.table.select(low, high, PIECE):
            alone = rows.filter(~pl.col(_HIT) & ~pl.col(_ID).is_in(marked.implode()))
            if alone.height:
                yield alone

    def _marked(self, side: _Side, low: int, high: int) -> pl.Series:
        assert side.marks is not None
        assert side.marks.table is not None
        ids = [rows[_ID] for rows in side.marks.table.select(low, high, PIECE)]
        return pl.concat(ids) if ids else pl.Series(_ID, [], pl.Int64)

    def _give_alone(self, rows: pl.DataFrame, side: _Side) -> None:
        for start in range(0, rows.height, PIECE):
            piece = rows[start : start + PIECE]
            self.output.emit(Batch(self._pairs.of(*_beside(piece, None, side))))

    def _end(self) -> Iterator[None]:
        number = 0
        for side in self._sides:
            if not side.given:
                continue
            for frame in self._alone(side, _BEGIN, FOREVER):
                if number:
                    yield
                number += 1
                self._give_alone(frame, side)
            self._keep_matched(side)

    def _keep_matched(self, side: _Side) -> None:
        """What was given without a match meets nobody any more."""
        table, marks = side.kept.table, side.marks.table if side.marks is not None else None
        assert table is not None
        assert marks is not None
        marked = self._marked(side, _BEGIN, FOREVER).implode()
        parts = list(table.select(_BEGIN, FOREVER, PIECE))
        table.clear()
        marks.clear()
        for rows in parts:
            matched = rows.filter(pl.col(_HIT) | pl.col(_ID).is_in(marked))
            table.append(matched.with_columns(pl.lit(value=True).alias(_HIT)))


def _beside(mine: pl.DataFrame, theirs: pl.DataFrame | None, side: _Side) -> tuple[Any, Any]:
    """Left and right rows."""
    return (theirs, mine) if side.port else (mine, theirs)
