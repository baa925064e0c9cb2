"""AsofJoin: rows wait until the watermark is past them; then all versions before them are there.

- Versions behind the watermark are a table with the latest one of each key; those before it wait
  in a second one. A version that comes late holds from then on, unless a later one is known.
- A row that comes behind the watermark is late: counted, and given to `.late`. The versions of its
  time are gone.
- A record that removes the row of its key is a version that no row has. Of a deleted key it stays
  as the last version, so that an earlier one which comes late does not hold again.
- The end of a bounded input gives all rows that wait; versions stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from raystream.context import LeftOut
from raystream.data.batch import TIME, Batch
from raystream.data.changes import CHANGE, RowKind
from raystream.data.keys import canonical
from raystream.data.left_out import left_out
from raystream.ids import HIDDEN
from raystream.operators.asof_join.step import AsofJoin as Step
from raystream.operators.final_rows import final_rows
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.pairs import LATE, PIECE
from raystream.operators.joins.rows import JoinedRows, keys_as
from raystream.operators.tables import PiecewiseOperator, StateTable
from raystream.operators.user_code import untyped
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.state.time_table import TimeTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_BEGIN = -(2**62)
_END = 2**62
_SLOT = 60_000
_ENDED = f"{HIDDEN}ended"


class AsofJoin(PiecewiseOperator):
    """A join with the version that held at the event time of each row."""

    def __init__(self, step: Step) -> None:
        self._step, self._within = step, step.within_ms
        self._watermark = _BEGIN
        self._chunk = PIECE
        if step.schemas is None:
            super().__init__()
            return
        left, right = step.schemas
        self._pairs = JoinedRows(left, right, step.on, step.how, step.suffix)
        self._full = JoinedRows(left, right, step.on, JoinKind.FULL, step.suffix)
        waiting, versions = (self._types(port) for port in (0, 1))
        self._keys = [list(step.keys(port)) for port in (0, 1)]
        rows, others = (partial(TimeTable, keys, time=TIME, width=_SLOT) for keys in self._keys)
        latest = partial(KeyedTable, self._keys[1], time=TIME)
        self._waiting = StateTable("waiting", self._keys[0], rows, waiting)
        self._ahead = StateTable("ahead", self._keys[1], others, versions)
        self._latest = StateTable("latest", self._keys[1], latest, versions)
        super().__init__(self._waiting, self._ahead, self._latest)

    def _types(self, port: int) -> dict[str, pl.DataType]:
        frame = canonical(self._step.schemas[port].empty(), self._step.keys(port))
        ended = {_ENDED: pl.Boolean()} if port and self._step.deletes else {}
        return {**frame.schema, TIME: pl.Int64(), **ended}

    # -- state -----------------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """Event time."""
        return {} if self._watermark == _BEGIN else {"watermark": self._watermark}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Go on where all of them were."""
        self._watermark = max((each.get("watermark", _BEGIN) for each in headers), default=_BEGIN)

    # -- rows ------------------------------------------------------------------------------------

    def process(self, batch: Batch, port: int = 0) -> None:
        """Keep rows until event time is past them; versions until others replace them."""
        if self._step.schemas is None:
            raise untyped(self.ctx.step, self.ctx.origin)
        self._drain()
        names = self._step.schemas[port].names()
        frame = final_rows(batch.frame)
        if port and self._step.deletes:
            frame = _versions(frame, [*names, TIME, _ENDED])
        else:
            frame = frame.select(*names, TIME)
        rows = canonical(frame, self._keys[port])
        over = rows[TIME] < self._watermark
        if port:
            rows, over = rows.drop_nulls(self._keys[1]), over.filter(_has(rows, self._keys[1]))
            self._ahead.of(rows.schema).append(rows.filter(~over))
            self._put_late(rows.filter(over))
            return
        if over.any():
            self._leave_out(rows.filter(over))
            rows = rows.filter(~over)
        self._waiting.of(rows.schema).append(rows)

    def _put_late(self, rows: pl.DataFrame) -> None:
        if rows.height:
            latest = self._latest.of(rows.schema)
            _, known = latest.get(rows.select(self._keys[1]))
            newer = (rows[TIME] >= known[TIME]).fill_null(value=True)
            latest.upsert(rows.filter(newer).sort(TIME, maintain_order=True))

    def _leave_out(self, late: pl.DataFrame) -> None:
        self.ctx.count(LATE, late.height)
        self.ctx.sample(LATE, partial(self._late_rows, late))
        if self.output.consumed("late"):
            self.output.emit(Batch(self._full.of(late, None)), "late")

    def _late_rows(self, late: pl.DataFrame) -> list[LeftOut]:
        return left_out(late, f"event time was at {self._watermark} when it came")

    # -- time ------------------------------------------------------------------------------------

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Give the rows that event time is past."""
        if isinstance(watermark, Idle) or watermark.time <= self._watermark:
            return
        if self._step.schemas is None:
            return
        self._drain()
        self._start(self._advance(watermark.time))

    def _advance(self, reached: int) -> Iterator[None]:
        waiting, ahead, latest = self._waiting.table, self._ahead.table, self._latest.table
        assert waiting is not None
        assert ahead is not None
        assert latest is not None
        until = _END if reached == END_OF_TIME else reached - 1
        number = 0
        for rows in waiting.select(_BEGIN, until, PIECE):
            for given in self._given(rows, ahead, latest):
                if number:
                    yield  # those behind take this piece before the next is made
                number += 1
                self.output.emit(Batch(given))
        if reached == END_OF_TIME:
            waiting.clear()
            return
        self._watermark = reached
        passed = list(ahead.select(_BEGIN, until, PIECE))
        if passed:
            latest.upsert(pl.concat(passed).sort(TIME, maintain_order=True))
        self._waiting.forget(reached)
        self._ahead.forget(reached)
        if self._within is not None:
            self._latest.forget(reached - self._within)

    def _given(
        self, rows: pl.DataFrame, ahead: TimeTable, latest: KeyedTable
    ) -> Iterator[pl.DataFrame]:
        asked = keys_as(rows, self._keys[0], self._keys[1], ahead.schema)
        found = np.zeros(rows.height, np.bool_)
        for who, versions in self._ahead_of(asked, rows[TIME].to_numpy(), ahead):
            found[who] = True
            yield from self._held(rows[who], versions)
        left = np.flatnonzero(~found)
        known, versions = latest.get(asked[left])
        known &= _has(asked[left], self._keys[1]).to_numpy()
        yield from self._held(rows[left[known]], versions.filter(pl.Series(known)))
        yield from self._alone(rows[left[~known]])

    def _ahead_of(
        self, asked: pl.DataFrame, times: Rows, ahead: TimeTable
    ) -> Iterator[tuple[Rows, pl.DataFrame]]:
        """The latest versions among those that event time has not passed; few rows at once."""
        first = 0
        while first < asked.height and len(ahead):
            end = first + self._chunk
            low = np.full(len(times[first:end]), _BEGIN)
            who, found = ahead.fetch(asked[first:end], low, times[first:end])
            self._chunk = max(1, self._chunk // 4) if found.height > 4 * PIECE else self._chunk
            order = np.lexsort((np.arange(len(who)), found[TIME].to_numpy(), who))
            last = np.append(who[order][1:] != who[order][:-1], np.True_)[: len(order)]
            if len(order):
                yield who[order[last]] + first, found[order[last]]
            first = end

    def _held(self, rows: pl.DataFrame, versions: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Pairs whose version has not ended, and is not too old."""
        if self._step.deletes:
            ended = versions[_ENDED]
            yield from self._alone(rows.filter(ended))
            rows, versions = rows.filter(~ended), versions.filter(~ended)
        if self._within is not None:
            fresh = rows[TIME] - self._within <= versions[TIME]
            yield from self._alone(rows.filter(~fresh))
            rows, versions = rows.filter(fresh), versions.filter(fresh)
        if rows.height:
            yield self._pairs.of(rows, versions)

    def _alone(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        if rows.height and self._step.how is JoinKind.LEFT:
            yield self._pairs.of(rows, None)


def _versions(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Records of a table as versions; those that do nothing are left out."""
    kind = pl.col(CHANGE)
    sets = frame.filter(kind.is_not_null() & (kind != RowKind.UPDATE_BEFORE.value))
    return sets.with_columns((kind == RowKind.DELETE.value).alias(_ENDED)).select(names)


def _has(rows: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    return rows.select(pl.all_horizontal(pl.col(list(keys)).is_not_null())).to_series()
