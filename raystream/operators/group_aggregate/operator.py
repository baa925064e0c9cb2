"""GroupAggregate: merge the partials of a batch into those of its keys, and tell what changed.

- A key's first row is an insert; when its aggregates change, an update: the row as it was emitted,
  and as it is. One per key and batch, nothing if the aggregates stay the same.
- A result that does not fit its type goes by the error policy; the row emitted before it is
  deleted, until a result fits again.
- With a ttl the state of a key is dropped once the watermark is that much past its latest row:
  nothing is emitted then, and a later row starts anew, as an insert.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.ids import HIDDEN
from raystream.operators.expressions import check_columns
from raystream.operators.group_aggregate.columns import (
    EMITTED,
    LATEST,
    SEEN,
    aggregates_of,
    by_of,
    partials_of,
    state_types,
    with_times,
)
from raystream.operators.group_aggregate.difference import Version, difference
from raystream.operators.group_aggregate.step import GroupAggregate as Step
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors
from raystream.operators.tables import StateTable, TableOperator
from raystream.operators.window.aggregates import Aggregation, Finished
from raystream.operators.window.early import final_rows
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Rows
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

_NUMBER = f"{HIDDEN}number"


class GroupAggregate(TableOperator):
    """Aggregates of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._by = by_of(step)
        self._names = list(step.aggregates)
        self._errors = RowErrors(step.errors)
        self._aggregation: Aggregation | None = None
        types = None
        if step.columns is not None:
            columns = with_times(step.columns.columns)
            self._aggregation = Aggregation(aggregates_of(step), columns)
            types = state_types(step, self._aggregation, columns)
        make = partial(KeyedTable, self._by, time=SEEN)
        self._groups = StateTable("groups", step.keys, make, types)
        super().__init__(self._groups)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Merge the rows into the groups of their keys, and emit how these changed."""
        frame = final_rows(batch.frame)
        check_columns(list(self._step.keys), frame.schema)
        aggregation = self._known(frame)
        rows = aggregation.computed(frame, self._errors)
        if rows.height:
            self._merge(aggregation, partials_of(self._step, aggregation, rows))

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Drop keys that had no row for too long."""
        ttl = self._step.ttl_ms
        if ttl is None or isinstance(watermark, Idle) or watermark.time == END_OF_TIME:
            return
        self._groups.forget(watermark.time - ttl)

    def _known(self, frame: pl.DataFrame) -> Aggregation:
        if self._aggregation is None:
            self._aggregation = Aggregation(aggregates_of(self._step), frame.schema)
        return self._aggregation

    def _merge(self, aggregation: Aggregation, news: pl.DataFrame) -> None:
        """Add partials, one per key, to the state, and emit what changed."""
        table = self._groups.of({**news.schema, EMITTED: pl.Int64(), SEEN: pl.Int64()})
        who, kept = table.find(news)
        was = self._version(aggregation.finish(kept), kept.get_column(EMITTED))
        finished = aggregation.finish(aggregation.merge(self._numbered(news, who, kept), _NUMBER))
        latest = finished.frame.get_column(LATEST)
        now = self._version(finished, latest)
        self._refuse(finished)
        found = difference(was, now, who, self._step.keys, self._names)
        times = (found.times.alias(EMITTED), latest.alias(SEEN))
        table.upsert(finished.frame.with_columns(times))
        if found.rows.height:
            self.output.emit(Batch(found.rows))

    def _numbered(self, news: pl.DataFrame, who: Rows, kept: pl.DataFrame) -> pl.DataFrame:
        """Partials of the state and of the batch, with the number of their key in the batch."""
        old = kept.select(news.columns).with_columns(pl.Series(_NUMBER, who, pl.Int64()))
        numbers = pl.int_range(news.height, dtype=pl.Int64, eager=True)
        return pl.concat([old, news.with_columns(numbers.alias(_NUMBER))])

    def _version(self, finished: Finished, time: pl.Series) -> Version:
        valid = np.ones(finished.frame.height, np.bool_)
        if finished.reasons is not None:
            valid = finished.reasons.is_null().to_numpy()
        return Version(finished.frame, valid, time)

    def _refuse(self, finished: Finished) -> None:
        """Apply the policy to results that do not fit."""
        if finished.reasons is not None:
            rows = finished.frame.select(*self._step.keys, *self._names)
            self._errors.without(rows, finished.reasons)
