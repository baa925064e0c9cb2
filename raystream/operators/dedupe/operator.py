"""Dedupe: look up the columns of each row in a table of those that passed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.keys import canonical
from raystream.data.left_out import left_out
from raystream.data.segment import Segment
from raystream.errors import ConfigurationError
from raystream.ids import HIDDEN
from raystream.operators.dedupe.step import Dedupe as Step
from raystream.operators.expressions import check_columns
from raystream.operators.operator import Operator, Output, Restored, StepState
from raystream.operators.window.early import final_rows
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Mask
from raystream.state.redistribute import owned
from raystream.time.watermark import END_OF_TIME, Idle, Watermark

DUPLICATES = "duplicate_rows"
"""Counter of dropped duplicates."""

_ROW = f"{HIDDEN}row"


class Dedupe(Operator):
    """Pass a row unless a row with its columns has passed whose time + `within` reaches its own.

    Passed keys are dropped once the watermark is `within` past them: a row that comes later than
    that passes again. Early rows of a window are dropped, as they are not final.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._keys = list(step.columns)
        self._within = step.within_ms
        self._passed: KeyedTable | None = None
        self._fresh_from: int | None = None

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Prefix segment ids with the attempt."""
        super().open(ctx, output)
        if self._step.types is not None:
            self._passed = self._table(self._step.types)

    def restore(self, restored: Restored) -> None:
        """Restore the passed keys that this subtask owns."""
        me = self.ctx
        for state in restored.states:
            self._forget_before(state.header.get("fresh_from"))
            for segment in state.segments:
                table = self._made(segment.frame)
                if not restored.redistribute:
                    table.restore([segment])
                    continue
                mine = owned(segment.frame, self._keys, me.subtask.index, me.parallelism)
                table.restore([Segment(segment.id, mine)], same_hash=False)
        if self._fresh_from is not None and self._passed is not None:
            self._passed.expire_before(self._fresh_from)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the rows that are new."""
        frame = final_rows(batch.frame)
        check_columns(self._keys, frame.schema)
        keys = canonical(frame.select(*self._keys, TIME), self._keys)
        if not keys.height:
            return
        new = self._new(keys, self._made(keys))
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
        self._forget_before(watermark.time - self._within)

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """The passed keys, and the time from which on they count."""
        if self._passed is None:
            return None
        return StepState(self._passed.snapshot(), {"fresh_from": self._fresh_from})

    def gauges(self) -> Mapping[str, float]:
        """Memory of the passed keys."""
        return {"state_bytes": 0 if self._passed is None else self._passed.size_bytes()}

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

    def _forget_before(self, time: int | None) -> None:
        if time is None:
            return
        self._fresh_from = time if self._fresh_from is None else max(time, self._fresh_from)
        if self._passed is not None:
            self._passed.expire_before(self._fresh_from)

    def _made(self, frame: pl.DataFrame) -> KeyedTable:
        """The table; if only rows reveal its types, it is created with the first of them."""
        types = {name: frame.schema[name] for name in self._keys}
        if self._passed is None:
            self._passed = self._table(types)
        kept = {name: self._passed.schema[name] for name in self._keys}
        if types != kept:
            text = f"the rows that passed are kept by {_said(kept)}, which is {_said(types)} now"
            advice = (
                "make it the same again, or give the step another name and run once with "
                "--allow-non-restored-state"
            )
            raise ConfigurationError(text, self.ctx.origin, advice)
        return self._passed

    def _table(self, types: Mapping[str, pl.DataType]) -> KeyedTable:
        schema = {**types, TIME: pl.Int64()}
        return KeyedTable(self._keys, schema, time=TIME, prefix=str(self.ctx.attempt))


def _said(types: Mapping[str, pl.DataType]) -> str:
    return ", ".join(f"{name} of type {kind}" for name, kind in types.items())
