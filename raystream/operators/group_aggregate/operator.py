"""GroupAggregate: merge the partials of a batch into those of its keys, and tell what changed.

- A key's first row is an insert; when its aggregates change, an update: the row as it was emitted,
  and as it is. One per key and batch, nothing if the aggregates stay the same.
- A result that does not fit its type goes by the error policy; the row emitted before it is
  deleted, until a result fits again.
- Of rows that change others, those taken back are subtracted, or the aggregates are computed again
  from the rows that are left (groups.py); a key without rows is deleted.
- With a ttl the state of a key is dropped once the watermark is that much past its latest row:
  nothing is emitted then, and a later row starts anew, as an insert.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.frames import replaced
from raystream.operators.changing.difference import Version, difference
from raystream.operators.changing.groups import NUMBER, SEEN
from raystream.operators.expressions import check_columns
from raystream.operators.final_rows import final_rows
from raystream.operators.group_aggregate.columns import EMITTED, LATEST, by_of, with_times
from raystream.operators.group_aggregate.groups import Groups, News
from raystream.operators.group_aggregate.step import GroupAggregate as Step
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.tables import StateTable, TableOperator
from raystream.operators.window.aggregates import ROWS, Finished
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.time.watermark import END_OF_TIME, Idle, Watermark


class GroupAggregate(TableOperator):
    """Aggregates of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._names = list(step.aggregates)
        self._errors = RowErrors(step.errors)
        make = partial(KeyedTable, by_of(step), time=SEEN)
        self._members: StateTable[KeyedTable] = StateTable("members", step.keys, make)
        self._found: Groups | None = None
        types = None
        if step.columns is not None:
            self._found = Groups(step, with_times(step.columns.columns), self._members)
            types = self._found.types
        self._groups = StateTable("groups", step.keys, make, types)
        super().__init__(self._groups, self._members)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Merge the rows into the groups of their keys, and emit how these changed."""
        news = self._news(batch.frame)
        if news is None:
            return
        groups = self._known(batch.frame)
        table = self._groups.of({**news.partials.schema, EMITTED: pl.Int64(), SEEN: pl.Int64()})
        who, kept = table.find(news.keys)
        was = _version(groups.aggregation.finish(kept), who, kept.get_column(EMITTED))
        now = self._now(groups, news, who, kept)
        found = difference(was, now, news.keys.height, self._step.keys, self._names)
        self._keep(table, news, now, found.times)
        if found.rows.height:
            self.output.emit(Batch(found.rows))

    def _news(self, frame: pl.DataFrame) -> News | None:
        """What the rows say of their keys, or what was made of them before the exchange."""
        if self._step.pre_aggregated:
            groups = self._known(frame)
            return groups.of_partials(frame) if ROWS in frame.columns else groups.news(frame)
        rows = final_rows(frame)
        check_columns(list(self._step.keys), rows.schema)
        groups = self._known(rows)
        rows = groups.aggregation.computed(rows, self._errors)
        return groups.news(rows) if rows.height else None

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Drop keys that had no row for too long."""
        ttl = self._step.ttl_ms
        if ttl is None or isinstance(watermark, Idle) or watermark.time == END_OF_TIME:
            return
        for table in (self._groups, self._members):
            table.forget(watermark.time - ttl)

    def _known(self, frame: pl.DataFrame) -> Groups:
        if self._found is None:
            self._found = Groups(self._step, frame.schema, self._members)
        return self._found

    def _now(self, groups: Groups, news: News, who: Rows, kept: pl.DataFrame) -> Version:
        """The groups with these rows; the policy handles results that do not fit."""
        merged = groups.merged(news, who, kept)
        finished = groups.aggregation.finish(merged)
        finished.count_cut(self.ctx)
        if finished.reasons is not None:
            rows = finished.frame.select(*self._step.keys, *self._names)
            self._errors.without(rows, finished.reasons)
        found = _version(finished, merged.get_column(NUMBER).to_numpy(), finished.frame[LATEST])
        return replace(found, valid=found.valid & (merged.get_column(ROWS).to_numpy() > 0))

    def _keep(self, table: KeyedTable, news: News, now: Version, times: pl.Series) -> None:
        """The state of the groups that have rows; the others go."""
        has_rows = now.frame.get_column(ROWS).to_numpy() > 0
        seen = now.frame.get_column(LATEST).alias(SEEN)
        frame = replaced(now.frame, [times.alias(EMITTED), seen])
        table.upsert(frame if has_rows.all() else frame.filter(pl.Series(has_rows)))
        gone = np.ones(news.keys.height, np.bool_)
        gone[now.who[has_rows]] = False
        if gone.any():
            table.delete(news.keys.filter(pl.Series(gone)))


def _version(finished: Finished, who: Rows, time: pl.Series) -> Version:
    valid = np.ones(finished.frame.height, np.bool_)
    if finished.reasons is not None:
        valid = finished.reasons.is_null().to_numpy()
    return Version(finished.frame, who, valid, time)
