"""ChangingJoin: a join without limits whose rows change earlier ones.

- A row without a match is given at once, where the kind of join asks for it, and taken back when
  its match arrives; it comes again when the last of its matches is taken back.
- Inputs may be changes: a row that is taken back takes its pairs back, with the very values that
  they were given with. Within a batch only what is left of its changes counts.
- Rows that are kept carry the number of their matches (state/change_table.py); only rows that
  without a match are given, or of a semi join, are counted.
- With a ttl a row is forgotten once the watermark is that much past it: what was given stays. A row
  that comes later is late, as in all joins; one taken back that is not there is counted as well.
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
from raystream.data.change_rows import is_gone
from raystream.data.changes import CHANGE
from raystream.data.keys import canonical
from raystream.data.left_out import left_out
from raystream.operators.final_rows import final_rows
from raystream.operators.join.condition import living
from raystream.operators.join.given import Given, frames, identities
from raystream.operators.join.news import news_of
from raystream.operators.join.step import Join
from raystream.operators.joins.condition import FOREVER, UNTIL
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.pairs import LATE, PIECE
from raystream.operators.joins.rows import NOBODY, JoinedRows, keys_as
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.user_code import untyped
from raystream.state.change_table import COUNT, ENTRY, ID, SIGN, ChangeTable
from raystream.state.keys import Rows
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)


@dataclass(frozen=True, slots=True)
class _Side:
    """One input.

    Args:
        port: Its number.
        keys: Its key columns.
        columns: Those that are kept of it.
        kept: Its rows.
        changing: Its rows may be taken back.
        counted: Matches of its rows are counted.
        by: What identifies its rows, and with them those of the join; None: they do not.
    """

    port: int
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    kept: StateTable[ChangeTable]
    changing: bool
    counted: bool
    by: Sequence[str] | None

    @property
    def table(self) -> ChangeTable:
        """Where they are."""
        assert self.kept.table is not None
        return self.kept.table


class ChangingJoin(PiecewiseOperator):
    """Additions and retractions of pairs, and of rows without a match."""

    def __init__(self, step: Join) -> None:
        self._step, self._condition, self._kind = step, living(step), step.how
        self._watermark, self._next, self._chunk = _BEGIN, 0, PIECE
        self._sides = tuple(self._side(port) for port in (0, 1)) if step.schemas else ()
        self._identified = any(side.by is not None for side in self._sides)
        if step.schemas:
            left, right = step.schemas
            self._rows = JoinedRows(left, right, step.on, step.how, step.suffix)
            self._full = JoinedRows(left, right, step.on, JoinKind.FULL, step.suffix)
        super().__init__(*(side.kept for side in self._sides))

    def _side(self, port: int) -> _Side:
        schema, keys = self._step.schemas[port], self._step.keys(port)
        types = {**canonical(schema.empty(), keys).schema, TIME: pl.Int64(), UNTIL: pl.Int64()}
        make = partial(ChangeTable, keys, time=UNTIL, width=self._condition.width[port])
        kept = StateTable(("left", "right")[port], keys, make, {**types, **ENTRY})
        counted, names = self._kind.tracked(port), tuple(schema.columns)
        changing = schema.changes is not None
        return _Side(port, keys, names, kept, changing, counted, self._by(port))

    def _by(self, port: int) -> Sequence[str] | None:
        """Without columns that nobody asked for there is nothing to be identified by."""
        inputs = self._step.schemas
        sides = self._step.identity(inputs)
        if sides is None or not sides[port]:
            return None
        by = [*(inputs[port].changes.by or ()), *self._step.keys(port)]
        return list(dict.fromkeys(name for name in by if name in inputs[port].columns))

    # -- state -----------------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """Event time, and the number of the next row."""
        time = {} if self._watermark == _BEGIN else {"watermark": self._watermark}
        return {**time, "next": self._next}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Go on where all of them were."""
        self._watermark = max((each.get("watermark", _BEGIN) for each in headers), default=_BEGIN)
        self._next = max((each.get("next", 0) for each in headers), default=0)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Forget rows whose time is over."""
        if isinstance(watermark, Idle) or watermark.time in (END_OF_TIME, self._watermark):
            return
        self._drain()
        self._watermark = max(self._watermark, watermark.time)
        for side in self._sides if self._step.ttl_ms is not None else ():
            side.kept.forget(self._watermark)

    # -- rows ------------------------------------------------------------------------------------

    def process(self, batch: Batch, port: int = 0) -> None:
        """Give how these rows change the result."""
        self._drain()
        if not self._sides:
            raise untyped(self.ctx.step, self.ctx.origin)
        side = self._sides[port]
        rows = self._on_time(self._entries(batch.frame, side), side)
        rows = self._without_nulls(rows, side)
        if rows.height:
            self._start(self._joined(self._news(rows, side), side))

    def _entries(self, frame: pl.DataFrame, side: _Side) -> pl.DataFrame:
        frame = final_rows(frame)
        sign = pl.lit(1)
        if CHANGE in frame.columns:
            sign = pl.when(is_gone()).then(-1).otherwise(1)
        frame = frame.select(*side.columns, TIME, sign.cast(pl.Int8()).alias(SIGN))
        return self._condition.timed(canonical(frame, side.keys), side.port)

    def _on_time(self, rows: pl.DataFrame, side: _Side) -> pl.DataFrame:
        over = rows[UNTIL] < self._watermark
        if not over.any():
            return rows
        late = rows.filter(over)
        self._left_out(late, side)
        if self.output.consumed("late"):
            added = late.filter(pl.col(SIGN) > 0)
            halves = (None, added) if side.port else (added, None)
            self.output.emit(Batch(self._full.of(*halves)), "late")
        return rows.filter(~over)

    def _left_out(self, late: pl.DataFrame, side: _Side) -> None:
        self.ctx.count(LATE, late.height)
        self.ctx.sample(LATE, partial(self._late_rows, late, side))

    def _late_rows(self, late: pl.DataFrame, side: _Side) -> list[LeftOut]:
        reason = f"all rows that it could meet are gone, event time is at {self._watermark}"
        return left_out(late.select(side.columns), reason)

    def _without_nulls(self, rows: pl.DataFrame, side: _Side) -> pl.DataFrame:
        """A null in a key meets nothing."""
        if not any(rows[name].null_count() for name in side.keys):
            return rows
        null = rows.select(pl.any_horizontal(pl.col(side.keys).is_null())).to_series()
        alone = rows.filter(null)
        if self._kind.unmatched(side.port):
            sign = alone[SIGN].to_numpy()
            self._give_now(_alone(side.port, np.arange(alone.height), sign), alone, side)
        return rows.filter(~null)

    def _give_now(self, given: Given, rows: pl.DataFrame, side: _Side) -> None:
        nothing = pl.DataFrame(schema=self._sides[1 - side.port].table.schema)
        for frame in self._frames(given, rows, nothing, side):
            self.output.emit(Batch(frame))

    def _news(self, rows: pl.DataFrame, side: _Side) -> pl.DataFrame:
        """Entries: first the rows that are taken back, by key, then those that are new."""
        if (rows[SIGN] == 1).all():
            return self._numbered(rows)
        keys = rows.select(side.keys).unique(maintain_order=True)
        low = np.full(keys.height, self._watermark, np.int64)
        _, kept = side.table.rows_of(keys, low, low * 0 + FOREVER)
        found = news_of(rows, kept, side.columns)
        if found.unknown:
            self.ctx.count(LATE, found.unknown)
        gone = found.gone.with_columns(pl.lit(-1, pl.Int8()).alias(SIGN))
        every = pl.concat([gone, self._numbered(found.added).select(gone.columns)])
        return every.sort(side.keys, maintain_order=True)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Numbers that no row of another subtask has, nor had before a rescale."""
        width, index = self.ctx.parallelism, self.ctx.subtask.index
        first = -(-self._next // width)
        self._next = (first + rows.height) * width
        ids = (first + np.arange(rows.height)) * width + index
        return rows.with_columns(pl.Series(ID, ids, pl.Int64()), pl.lit(0, pl.Int64()).alias(COUNT))

    # -- pairs -----------------------------------------------------------------------------------

    def _joined(self, news: pl.DataFrame, side: _Side) -> Iterator[None]:
        other, first, number = self._sides[1 - side.port], 0, 0
        while first < news.height:
            rows = news[first : first + self._chunk]
            first += rows.height
            for frame in self._piece(rows, side, other):
                if number:
                    yield  # those behind take this piece before the next is made
                number += 1
                self.output.emit(Batch(frame))

    def _piece(self, rows: pl.DataFrame, side: _Side, other: _Side) -> Iterator[pl.DataFrame]:
        low, high = self._condition.reach(rows, side.port)
        asked = keys_as(rows, side.keys, other.keys, other.table.schema)
        who, found = other.table.rows_of(asked, low, high)
        if found.height > 4 * PIECE:
            self._chunk = max(1, self._chunk // 4)
        elif found.height < PIECE:
            self._chunk = min(PIECE, self._chunk * 2)
        sign = rows[SIGN].to_numpy().astype(np.int64)
        parts = [self._own(rows, np.bincount(who, minlength=rows.height), sign, side)]
        if other.counted:
            parts.append(self._counted(found, sign[who], side, other))
        if self._kind.pairs:
            theirs = np.arange(len(who))
            left, right = (theirs, who) if side.port else (who, theirs)
            parts.append(Given(left, right, sign[who]))
        return self._frames(Given.together(parts), rows, found, side)

    def _own(self, rows: pl.DataFrame, hits: Rows, sign: Rows, side: _Side) -> Given:
        """Keep the rows; those that are given by themselves."""
        matches = np.where(sign > 0, hits, rows[COUNT].to_numpy())
        side.kept.of(rows.schema).append(rows.with_columns(pl.Series(COUNT, matches, pl.Int64())))
        given = np.zeros(rows.height, np.bool_)
        if self._kind.unmatched(side.port):
            given = matches == 0
        elif side.counted:
            given = matches > 0
        return _alone(side.port, np.flatnonzero(given), sign[given])

    def _counted(self, found: pl.DataFrame, sign: Rows, side: _Side, other: _Side) -> Given:
        """Count the matches of kept rows; those that have the first, or lost the last."""
        ids, at, place = np.unique(found[ID].to_numpy(), return_index=True, return_inverse=True)
        more = np.bincount(place, sign, len(ids)).astype(np.int64)
        before = found[COUNT].to_numpy()[at]
        after = before + more
        noted = more != 0 if side.changing else before == 0  # else only the first one matters
        entries = found[at[noted]].with_columns(
            pl.lit(0, pl.Int8()).alias(SIGN), pl.Series(COUNT, more[noted], pl.Int64())
        )
        other.table.append(entries)
        first, last = (before == 0) & (after > 0), (before > 0) & (after == 0)
        changed = np.flatnonzero(first | last)
        alone = np.where(first, -1, 1)[changed]
        return _alone(other.port, at[changed], -alone if self._kind is JoinKind.SEMI else alone)

    def _frames(
        self, given: Given, rows: pl.DataFrame, found: pl.DataFrame, side: _Side
    ) -> Iterator[pl.DataFrame]:
        halves = (found, rows) if side.port else (rows, found)
        same = None
        if self._identified and len(given.sign):
            same = identities(given, halves, [each.by for each in self._sides])
        return frames(*given.kinds(same), halves, self._rows, PIECE)


def _alone(port: int, at: Rows, sign: Rows) -> Given:
    nobody = np.full(len(at), NOBODY)
    return Given(nobody, at, sign) if port else Given(at, nobody, sign)
