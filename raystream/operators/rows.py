"""RowFunctions: neighbouring map, flat_map and filter on dicts, fused; rows are made once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.data.batch import Batch
from raystream.data.inference import infer_schema
from raystream.data.left_out import rows_left_out
from raystream.data.rows import to_frame, to_rows
from raystream.data.schema import Schema
from raystream.errors import DataError, UserCodeError
from raystream.graph import steps
from raystream.operators.base import Operator, Restored, StepState
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.user_code import defined_at, user_code

Row = dict[str, Any]


class RowFunctions(Operator):
    """Calls the functions, one after the other, on all rows of a batch.

    Output rows inherit the hidden columns (event time) of the row they came from. The columns are
    declared with the last map or flat_map, or fixed by its first output and kept in checkpoints.
    """

    def __init__(self, step: steps.RowFunctions) -> None:
        self._step = step
        self._maps = [f for f in step.functions if not isinstance(f, steps.FilterRows)]
        self._schema = _declared(step)

    def restore(self, restored: Restored) -> None:
        """Columns that an earlier attempt fixed stay fixed."""
        for state in restored.states:
            if self._schema is None and state.header.get("schema"):
                self._schema = Schema.from_json(state.header["schema"])

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        """The fixed columns."""
        if not self._maps or _declared(self._step) is not None:
            return None
        return StepState(header={"schema": self._schema.to_json() if self._schema else None})

    def process(self, batch: Batch) -> None:
        """Emit what the functions make of the rows."""
        user, hidden = split_hidden(batch.frame)
        rows: list[Any] = to_rows(user)
        sources: list[int] | None = None
        for function in self._step.functions:
            before, of_before = rows, sources
            rows, sources = _call(function, rows, sources)
            if isinstance(function, steps.FilterRows) and len(rows) < len(before):
                self._filtered(before, of_before, sources or [])
        if not rows:
            return
        if sources is not None and not self._maps:
            self.output.emit(Batch(batch.frame[sources]))
            return
        kept = hidden if sources is None else hidden[sources]
        self.output.emit(Batch(join_hidden(self._frame(rows), kept)))

    def _filtered(self, before: list[Row], of_before: list[int] | None, kept: list[int]) -> None:
        self.ctx.count("filtered_rows", len(before) - len(kept))
        if of_before is not None:  # behind a flat_map several rows come from one: none is shown
            return
        passed = set(kept)
        gone = (row for index, row in enumerate(before) if index not in passed)
        self.ctx.sample("filtered_rows", lambda: rows_left_out(gone))

    def _frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        if self._schema is None:
            self._schema = infer_schema(rows) or Schema({})
        fitted = to_frame(rows, self._schema)
        if fitted.misfits:
            misfit = fitted.misfits[0]
            what = f"a row of the function does not fit: {misfit.reason}"
            columns = ", ".join(f"{n} {d}" for n, d in self._schema.columns.items())
            where = defined_at(self._maps[-1].function)
            raise DataError(what, where, f"columns are {columns}; declare others with schema=")
        return fitted.frame


def output_schema(step: steps.RowFunctions, schema: Schema) -> Schema:
    """Declared columns, those of the input behind filters only, or open: known at first output."""
    if all(isinstance(function, steps.FilterRows) for function in step.functions):
        return schema
    return _declared(step) or Schema({}, open=True)


def _declared(step: steps.RowFunctions) -> Schema | None:
    maps = [f for f in step.functions if not isinstance(f, steps.FilterRows)]
    if not maps or maps[-1].schema is None:
        return None
    declared = Schema.of(maps[-1].schema)
    return None if declared.open else declared


def _call(
    step: steps.Map | steps.FlatMap | steps.FilterRows, rows: list[Row], sources: list[int] | None
) -> tuple[list[Row], list[int] | None]:
    """Rows after one function, and which row of the batch each came from (None: all, in order)."""
    function = step.function
    origins: Iterable[int] = range(len(rows)) if sources is None else sources
    with user_code(function):
        if isinstance(step, steps.Map):
            return _checked(step, [function(row) for row in rows]), sources
        if isinstance(step, steps.FilterRows):
            pairs = [(row, i) for row, i in zip(rows, origins, strict=True) if function(row)]
            return [row for row, _ in pairs], [i for _, i in pairs]
        made = [(out, i) for row, i in zip(rows, origins, strict=True) for out in function(row)]
    return _checked(step, [row for row, _ in made]), [i for _, i in made]


def _checked(step: steps.Map | steps.FlatMap, rows: list[Any]) -> list[Row]:
    if all(type(row) is dict for row in rows):
        return rows
    return [_as_row(step, row) for row in rows]


def _as_row(step: steps.Map | steps.FlatMap, row: Any) -> Row:
    if isinstance(row, Mapping):
        return dict(row)
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    what = f"the function gave {type(row).__name__}, not a dict"
    raise UserCodeError(what, defined_at(step.function), "return a dict of column name to value")
