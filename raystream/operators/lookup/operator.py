"""Lookup: a table in every subtask; rows that come before it is whole wait.

- The gate in front delivers the table first (runtime/loading.py). Only for a checkpoint it lets
  rows of the stream pass meanwhile, up to the barrier: these wait here.
- All subtasks hold the same rows at a barrier, so after a rescale each takes those of the first old
  subtask. What waits is divided by key.
- Keys with a null have no row in the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.data.keys import canonical
from raystream.data.segment import Segment
from raystream.ids import HIDDEN
from raystream.operators.final_rows import final_rows
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.joins.pairs import PIECE
from raystream.operators.joins.rows import NOBODY, JoinedRows, keys_as, side_by_side
from raystream.operators.lookup.step import Lookup as Step
from raystream.operators.operator import Restored
from raystream.operators.tables import TABLES, PiecewiseOperator, StateTable
from raystream.operators.user_code import untyped
from raystream.state.keys import Rows
from raystream.state.time_table import TimeTable

_ARRIVAL, _ALWAYS = f"{HIDDEN}arrival", f"{HIDDEN}always"
_LEAST = -(2**62)


class Lookup(PiecewiseOperator):
    """Each row beside the rows of the table that have its key."""

    def __init__(self, step: Step) -> None:
        self._step, self._whole, self._next = step, False, 0
        self._keys = [list(step.keys(port)) for port in (0, 1)]
        make = [
            partial(TimeTable, keys, time=time, width=0)
            for keys, time in zip(self._keys, (_ARRIVAL, _ALWAYS), strict=True)
        ]
        types: list[dict[str, pl.DataType] | None] = [None, None]
        if step.schemas is not None:
            left, right = step.schemas
            self._rows = JoinedRows(left, right, step.on, step.how, step.suffix)
            types = [self._types(0), self._types(1)]
        self._waiting = StateTable("waiting", self._keys[0], make[0], types[0])
        self._table = StateTable("table", self._keys[1], make[1], types[1])
        super().__init__(self._waiting, self._table)

    def _types(self, port: int) -> dict[str, pl.DataType]:
        columns = dict(canonical(self._step.schemas[port].empty(), self._keys[port]).schema)
        own = {_ALWAYS: pl.Int64()} if port else {TIME: pl.Int64(), _ARRIVAL: pl.Int64()}
        return {**columns, **own}

    # -- state -----------------------------------------------------------------------------------

    def header(self) -> Mapping[str, Any]:
        """The number of the next row that waits."""
        return {"next": self._next}

    def resume(self, headers: Sequence[Mapping[str, Any]]) -> None:
        """Go on where all of them were; the end of the table is told again."""
        self._next = max((each.get("next", 0) for each in headers), default=0)

    def restore(self, restored: Restored) -> None:
        """Rows that wait by their keys; the table once."""
        moved = restored.redistribute
        for number, state in enumerate(restored.states):
            segments = iter(state.segments)
            for name, (count, _) in state.header.get(TABLES, {}).items():
                part = islice(segments, count)
                if name == self._waiting.name:
                    self._waiting.restore(part, redistribute=moved)
                elif number == 0:
                    self._restore_table(part, moved=moved)
        self.resume([state.header for state in restored.states])

    def _restore_table(self, segments: Iterator[Segment], *, moved: bool) -> None:
        for segment in segments:
            table, frame = self._table.fitted(segment.frame, older=True)
            table.restore([Segment(segment.id, frame)], same_hash=not moved)

    # -- rows ------------------------------------------------------------------------------------

    def process(self, batch: Batch, port: int = 0) -> None:
        """Rows of the table are kept; others are given, or wait for it."""
        self._drain()
        if self._step.schemas is None:
            raise untyped(self.ctx.step, self.ctx.origin)
        names = self._step.schemas[port].names()
        frame = final_rows(batch.frame).select(*names, *(() if port else (TIME,)))
        rows = canonical(frame, self._keys[port])
        if port:
            rows = rows.drop_nulls(self._keys[1]).with_columns(pl.lit(0, pl.Int64()).alias(_ALWAYS))
            self._table.of(rows.schema).append(rows)
        elif self._whole:
            self._start(self._given(rows))
        elif rows.height:
            number = np.arange(self._next, self._next + rows.height)
            self._next += rows.height
            rows = rows.with_columns(pl.Series(_ARRIVAL, number, pl.Int64()))
            self._waiting.of(rows.schema).append(rows)

    def input_ended(self, port: int) -> None:
        """The table is whole."""
        self._whole = True
        waiting = self._waiting.table
        if waiting is not None and len(waiting):
            rows = pl.concat(list(waiting.select(_LEAST, -_LEAST, PIECE))).sort(_ARRIVAL)
            waiting.clear()
            self._start(self._given(rows))

    def _given(self, rows: pl.DataFrame) -> Iterator[None]:
        number = 0
        for first in range(0, rows.height, PIECE):
            for frame in self._found(rows[first : first + PIECE]):
                if number:
                    yield  # those behind take this piece before the next is made
                number += 1
                self.output.emit(Batch(frame))

    def _found(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        table = self._table.table
        assert table is not None
        asked = keys_as(rows, self._keys[0], self._keys[1], table.schema)
        every = np.zeros(rows.height, np.int64)
        who, found = table.fetch(asked, every, every)
        hit = np.bincount(who, minlength=rows.height) > 0
        kind = self._step.how
        if not kind.pairs:
            given = rows.filter(pl.Series(hit if kind is JoinKind.SEMI else ~hit))
            yield self._rows.of(given, None)
            return
        alone = np.flatnonzero(~hit) if kind is JoinKind.LEFT else who[:0]
        yield from self._beside(rows, found, who, alone)

    def _beside(
        self, rows: pl.DataFrame, found: pl.DataFrame, who: Rows, alone: Rows
    ) -> Iterator[pl.DataFrame]:
        """In the order of the rows, at their event times."""
        left = np.concatenate([who, alone])
        right = np.concatenate([np.arange(len(who)), np.full(len(alone), NOBODY)])
        order = np.argsort(left, kind="stable")
        halves = rows, found.with_columns(pl.lit(_LEAST, pl.Int64()).alias(TIME))
        for first in range(0, len(order), PIECE):
            piece = order[first : first + PIECE]
            yield side_by_side(left[piece], right[piece], halves, self._rows)
