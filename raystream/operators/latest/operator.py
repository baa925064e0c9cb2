"""Latest: compare each row with the one before it of the same key, and tell what changed.

The row before is an earlier one of the batch, else the one in the table. Every change is told, also
those that a later row of the batch changes again. A row that sets what is there already changes
nothing, and keeps the event time of the row that did; a row is taken back with that time.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.data.changes import CHANGE, RowKind
from raystream.data.keys import canonical
from raystream.operators.changing.groups import numbers
from raystream.operators.expressions import check_columns
from raystream.operators.latest.step import Latest as Step
from raystream.operators.tables import StateTable, TableOperator
from raystream.state.keyed_table import KeyedTable
from raystream.state.keys import Mask, Rows


class Latest(TableOperator):
    """The rows of the keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        self._keys = list(step.keys)
        types = None if step.types is None else {**step.types, TIME: pl.Int64()}
        self._rows = StateTable("rows", step.keys, partial(KeyedTable, self._keys), types)
        super().__init__(self._rows)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the changes that these rows make."""
        check_columns(self._keys, batch.frame.schema)
        frame = batch.frame.filter(pl.col(CHANGE).is_not_null())
        if not frame.height:
            return
        frame = canonical(frame.select(*batch.user_columns(), TIME, CHANGE), self._keys)
        table = self._rows.of({n: t for n, t in frame.schema.items() if n != CHANGE})
        one = _Ordered.of(frame, self._keys, table)
        changes = one.changes()
        if changes.height:
            self.output.emit(Batch(changes))
        self._keep(table, one)

    def _keep(self, table: KeyedTable, one: _Ordered) -> None:
        last = one.last()
        gone = one.gone[last]
        set_ = one.standing()[last[~gone]]
        table.upsert(one.rows[set_].drop(CHANGE))
        if gone.any():
            table.delete(one.rows[last[gone]].select(self._keys))


class _Ordered:
    """The rows of the table and then those of a batch, key by key.

    Args:
        rows: With RowKind; those of the table are set.
        who: Number of the key of each, rising.
        at: Place of each in the batch; -1: of the table.
    """

    def __init__(self, rows: pl.DataFrame, who: Rows, at: Rows) -> None:
        self.rows, self._who, self._at = rows, who, at
        self.gone: Mask = (rows.get_column(CHANGE) == RowKind.DELETE.value).to_numpy()
        self._follows = np.zeros(len(who), np.bool_)
        self._follows[1:] = who[1:] == who[:-1]
        self._told = self._tells()

    @classmethod
    def of(cls, frame: pl.DataFrame, keys: list[str], table: KeyedTable) -> _Ordered:
        """Look up the keys of a batch."""
        who = numbers(frame, keys)
        first = np.unique(who, return_index=True)[1]
        known, kept = table.find(frame[first])
        is_set = pl.lit(RowKind.UPDATE_AFTER.value, pl.Int8()).alias(CHANGE)
        rows = pl.concat([kept.with_columns(is_set).select(frame.columns), frame])
        whose = np.concatenate([known, who])
        at = np.concatenate([np.full(len(known), -1), np.arange(frame.height)])
        order = np.argsort(whose, kind="stable")
        return cls(rows[order], whose[order], at[order])

    def _tells(self) -> Mask:
        """Rows of the batch that change something."""
        there = np.zeros(len(self._who), np.bool_)
        there[1:] = self._follows[1:] & ~self.gone[:-1]
        values = [n for n in self.rows.columns if n not in (TIME, CHANGE)]
        same = np.zeros(len(self._who), np.bool_)
        if self.rows.height > 1:
            equal = [self.rows[n][1:].eq_missing(self.rows[n][:-1]) for n in values]
            same[1:] = pl.select(pl.all_horizontal(equal)).to_series().to_numpy()
        return (self._at >= 0) & np.where(self.gone, there, ~(there & same))

    def standing(self) -> Rows:
        """For each row the one whose values and event time hold with it: the last that was told."""
        holds = self._told | (self._at < 0)
        found: Rows = np.maximum.accumulate(np.where(holds, np.arange(len(holds)), -1))
        return found

    def last(self) -> Rows:
        """The last row of each key."""
        ends = np.append(~self._follows[1:], np.True_)
        return np.flatnonzero(ends)

    def changes(self) -> pl.DataFrame:
        """The changes in the order of the batch: what was there, then what is."""
        told = np.flatnonzero(self._told)
        before = told[self._follows[told] & ~self.gone[told - 1]]
        after = told[~self.gone[told]]
        was, standing = np.zeros(len(self._who), np.bool_), self.standing()
        was[before] = True
        gone = np.where(self.gone[before], RowKind.DELETE, RowKind.UPDATE_BEFORE)
        fresh = np.where(was[after], RowKind.UPDATE_AFTER, RowKind.INSERT)
        old, new = self.rows[standing[before - 1]], self.rows[after]
        both = pl.concat([_as(old, gone), _as(new, fresh)])
        place = np.concatenate([2 * self._at[before], 2 * self._at[after] + 1])
        return both[np.argsort(place, kind="stable")]


def _as(rows: pl.DataFrame, kinds: Rows) -> pl.DataFrame:
    return rows.with_columns(pl.Series(CHANGE, kinds, pl.Int8()))
