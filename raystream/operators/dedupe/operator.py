"""Dedupe: look up the columns of each row in a table of those that passed."""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.data.keys import canonical
from raystream.data.left_out import left_out
from raystream.ids import HIDDEN
from raystream.operators.dedupe.step import Dedupe as Step
from raystream.operators.expressions import check_columns
from raystream.operators.final_rows import final_rows
from raystream.operators.tables import StateTable, TableOperator
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Mask
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

DUPLICATES = "duplicate_rows"
"""Counter of dropped duplicates."""

_ROW = f"{HIDDEN}row"


class Dedupe(TableOperator):
    """Pass a row unless a row with its columns has passed whose time + `within` reaches its own.

    Passed keys are dropped once the watermark is `within` past them: a row that comes later than
    that passes again. Early rows of a window are dropped, as they are not final.
    """

    def __init__(self, step: Step) -> None:
        self._keys = list(step.columns)
        self._within = step.within_ms
        types = None if step.types is None else {**step.types, TIME: pl.Int64()}
        make = partial(KeyedTable, self._keys, time=TIME)
        self._passed = StateTable("passed", self._keys, make, types)
        super().__init__(self._passed)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows that are new."""
        frame = final_rows(batch.frame)
        check_columns(self._keys, frame.schema)
        keys = canonical(frame.select(*self._keys, TIME), self._keys)
        if not keys.height:
            return
        new = self._new(keys, self._passed.of(keys.schema))
        if not new.all():
            self._leave_out(frame.filter(pl.Series(~new)))
        if new.any():
            self.output.emit(Batch(frame.filter(pl.Series(new))))

    def _leave_out(self, duplicates: pl.DataFrame) -> None:
        self.ctx.count(DUPLICATES, duplicates.height)
        self.ctx.sample(DUPLICATES, lambda: left_out(duplicates, "a row like it has passed"))

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        """Drop keys that are too old."""
        if self._within is None or isinstance(watermark, Idle) or watermark.time == END_OF_TIME:
            return
        self._passed.forget(watermark.time - self._within)

    def _new(self, keys: pl.DataFrame, passed: KeyedTable) -> Mask:
        """Mask of rows that pass; a second round only if a batch spans more than `within`."""
        new = np.zeros(keys.height, np.bool_)
        left = np.arange(keys.height)
        while len(left):
            rows = keys[left]
            fresh = self._fresh(rows, passed)
            left, rows = left[fresh], rows.filter(pl.Series(fresh))
            first = self._first(rows)
            passed.upsert(rows.filter(pl.Series(first)))
            new[left[first]] = True
            left = left[~first] if self._within is not None else left[:0]
        return new

    def _first(self, rows: pl.DataFrame) -> Mask:
        """Mask of the first row of each key."""
        groups = rows.with_row_index(_ROW).group_by(self._keys).agg(pl.col(_ROW).first())
        first = np.zeros(rows.height, np.bool_)
        first[groups[_ROW].to_numpy()] = True
        return first

    def _fresh(self, rows: pl.DataFrame, passed: KeyedTable) -> Mask:
        known, had = passed.get(rows)
        if self._within is None:
            return ~known
        later = (rows[TIME] - self._within > had[TIME]).fill_null(value=True)
        return later.to_numpy() | ~known
