"""Top: put the rows of a batch among the first of their keys, and tell what changed.

- The state of a key is its first rows, in order; if its rows may be taken back, all of its rows.
- With ranks every place of a key is a row that changes; without them rows come and go.
- With a ttl the rows of a key are dropped once the watermark is that much past the latest row it
  got: nothing is emitted then.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.data.change_rows import is_gone
from raystream.data.changes import CHANGE, RowKind
from raystream.data.frames import constant, gathered, narrowed, replaced
from raystream.ids import HIDDEN
from raystream.operators.changing.difference import Version, difference
from raystream.operators.changing.groups import ALL, COPIES, NUMBER, SEEN, numbers, unfolded
from raystream.operators.expressions import check_columns
from raystream.operators.final_rows import final_rows
from raystream.operators.tables import StateTable, TableOperator
from raystream.operators.top.step import Top as Step
from raystream.state.keyed_table import KeyedTable
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_ARRIVAL = f"{HIDDEN}arrival"
_PLACE = f"{HIDDEN}standing"
_ROW = f"{HIDDEN}top_row"
_BEGIN = np.iinfo(np.int64).min


class Top(TableOperator):
    """The first rows of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._by = list(step.keys) or [ALL]
        make = partial(KeyedTable, self._by, time=SEEN)
        types = None if step.columns is None else self._types(step.columns.columns)
        self._rows = StateTable("rows", step.keys, make, types)
        super().__init__(self._rows)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit how the first rows of the keys of these rows change."""
        frame = final_rows(batch.frame)
        visible = [name for name in frame.columns if not name.startswith(HIDDEN)]
        by = [each.column for each in self._step.by]
        check_columns([*self._step.keys, *by], frame.select(visible).schema)
        if not frame.height:
            return
        news = self._first_of(self._news(frame, visible))
        table = self._rows.of({n: t for n, t in news.schema.items() if n not in (NUMBER, COPIES)})
        first = np.unique(news.get_column(NUMBER).to_numpy(), return_index=True)[1]
        keys = gathered(narrowed(news, self._by), first)
        who, kept = table.find(keys)
        number, one = pl.Series(NUMBER, who), constant(COPIES, 1, pl.Int64(), len(who))
        old = narrowed(kept.hstack([number, one]), news.columns)
        now = self._ordered(self._there(pl.concat([old, news]), visible))
        placed = self._placed(now)
        self._emit(self._placed(old), placed, keys.height, visible)
        self._keep(table, keys, now if self._step.takes_back else placed)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Drop keys that had no row for too long."""
        ttl = self._step.ttl_ms
        if ttl is None or isinstance(watermark, Idle) or watermark.time == END_OF_TIME:
            return
        self._rows.forget(watermark.time - ttl)

    def _types(self, columns: dict[str, pl.DataType]) -> dict[str, pl.DataType]:
        own = {} if self._step.keys else {ALL: pl.Int8()}
        return {**own, **columns, TIME: pl.Int64(), SEEN: pl.Int64()}

    def _news(self, frame: pl.DataFrame, visible: list[str]) -> pl.DataFrame:
        """The rows as they are kept, with the number of their key; -1 copies of those gone."""
        if not self._step.keys:
            frame = frame.with_columns(pl.lit(0, pl.Int8()).alias(ALL))
        own = [] if self._step.keys else [ALL]
        sign = pl.when(is_gone()).then(-1).otherwise(1) if self._step.takes_back else pl.lit(1)
        return frame.select(
            *own,
            *visible,
            TIME,
            pl.col(TIME).alias(SEEN),
            pl.Series(NUMBER, numbers(frame, self._by), pl.Int64()),
            sign.cast(pl.Int64()).alias(COPIES),
        )

    def _first_of(self, news: pl.DataFrame) -> pl.DataFrame:
        """The rows that may be among the first of their keys, by the columns of the order alone."""
        number = news.get_column(NUMBER).to_numpy()
        groups = int(number.max()) + 1
        if self._step.takes_back or groups == len(number):
            return news
        by = dict.fromkeys([NUMBER, TIME, *(each.column for each in self._step.by)])
        ordered = self._ordered(narrowed(news, by).with_row_index(_ROW))
        rows = np.sort(self._placed(ordered).get_column(_ROW).to_numpy()).astype(np.int64)
        seen = np.full(groups, _BEGIN, np.int64)
        np.maximum.at(seen, number, news.get_column(SEEN).to_numpy())
        return replaced(gathered(news, rows), [pl.Series(SEEN, seen[number[rows]])])

    def _there(self, rows: pl.DataFrame, visible: list[str]) -> pl.DataFrame:
        """The rows that are left when those that are gone are taken from them."""
        rows = rows.with_columns(pl.col(SEEN).max().over(NUMBER))
        if not self._step.takes_back:
            return rows
        same = [*([] if self._step.keys else [ALL]), NUMBER, *visible]
        first = pl.col(TIME, SEEN).first()
        summed = rows.group_by(same, maintain_order=True).agg(pl.col(COPIES).sum(), first)
        return unfolded(summed.filter(pl.col(COPIES) > 0)).select(rows.columns)

    def _ordered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """By key, then in the order of the user, then as they came (the last first if latest)."""
        by = [(NUMBER, False), *((each.column, each.descending) for each in self._step.by)]
        if self._step.latest:
            by += [(TIME, True), (_ARRIVAL, True)]
        names, descending = zip(*by, strict=True)
        arrived = rows.with_row_index(_ARRIVAL)
        found = arrived.sort(
            names, descending=list(descending), nulls_last=True, maintain_order=True
        )
        return found.drop(_ARRIVAL)

    def _placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The first rows of each key, with their places."""
        place = pl.int_range(pl.len(), dtype=pl.Int64()).over(NUMBER).alias(_PLACE)
        return rows.with_columns(place).filter(pl.col(_PLACE) < self._step.number)

    def _emit(self, was: pl.DataFrame, now: pl.DataFrame, keys: int, visible: list[str]) -> None:
        if self._step.rank is None and self._step.number > 1:
            rows = _come_and_gone(was, now, visible)
        else:
            size = self._step.number
            before, after = (self._version(rows) for rows in (was, now))
            rank = [] if self._step.rank is None else [self._step.rank]
            rows = difference(before, after, keys * size, [], [*visible, *rank, TIME]).rows
        if rows.height:
            self.output.emit(Batch(rows))

    def _version(self, rows: pl.DataFrame) -> Version:
        """One row for each place of each key."""
        who = rows.select(pl.col(NUMBER) * self._step.number + pl.col(_PLACE)).to_series()
        if self._step.rank is not None:
            rows = rows.with_columns((pl.col(_PLACE) + 1).alias(self._step.rank))
        valid = np.ones(rows.height, np.bool_)
        return Version(rows, who.to_numpy(), valid, rows.get_column(TIME))

    def _keep(self, table: KeyedTable, keys: pl.DataFrame, rows: pl.DataFrame) -> None:
        table.put(rows)
        gone = np.setdiff1d(np.arange(keys.height), rows.get_column(NUMBER).to_numpy())
        if len(gone):
            table.delete(keys[gone])


def _come_and_gone(was: pl.DataFrame, now: pl.DataFrame, visible: list[str]) -> pl.DataFrame:
    """Deletes of the rows that are not there any more, inserts of those that were not."""
    sign = {-1: was, 1: now}
    rows = pl.concat([f.with_columns(pl.lit(n, pl.Int64()).alias(COPIES)) for n, f in sign.items()])
    summed = rows.group_by([NUMBER, *visible, TIME], maintain_order=True)
    changed = summed.agg(pl.col(COPIES).sum()).filter(pl.col(COPIES) != 0)
    kind = pl.when(pl.col(COPIES) < 0).then(RowKind.DELETE.value).otherwise(RowKind.INSERT.value)
    found = changed.with_columns(kind.cast(pl.Int8()).alias(CHANGE), pl.col(COPIES).abs())
    return unfolded(found.sort(NUMBER, pl.col(COPIES), maintain_order=True)).select(
        *visible, TIME, CHANGE
    )
