"""RowFunctions: neighbouring map, flat_map and filter on dicts, fused; rows are made once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.inference import infer_schema
from raystream.data.left_out import rows_left_out
from raystream.data.rows import to_frame, to_rows
from raystream.data.schema import Schema
from raystream.errors import UserCodeError
from raystream.graph import steps
from raystream.graph.policies import ErrorPolicy
from raystream.operators.base import Operator, Output, Restored, StepState
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.row_errors import BadRow, RowErrors, bad_rows
from raystream.operators.side_outputs import ERRORS, dead_letters_of
from raystream.operators.user_code import called, defined_at

Row = dict[str, Any]
RowStep = steps.Map | steps.FlatMap | steps.FilterRows


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Rows inside the step.

    Args:
        rows: As the next function is given them.
        sources: Which row of the batch each came from; None: all, in order.
    """

    rows: list[Any]
    sources: list[int] | None = None

    def source(self, index: int) -> int:
        """Number, in the batch, of the row from which row `index` came."""
        return index if self.sources is None else self.sources[index]

    def take(self, indexes: Sequence[int]) -> Rows:
        """These rows."""
        return Rows([self.rows[i] for i in indexes], [self.source(i) for i in indexes])


class RowFunctions(Operator):
    """Calls the functions, one after the other, on all rows of a batch.

    Output rows inherit the hidden columns (event time) of the row they came from. Rows for which a
    function raises go by the policy of its own step. The columns are declared with the last map or
    flat_map, or fixed by its first output and kept in checkpoints.
    """

    def __init__(self, step: steps.RowFunctions) -> None:
        self._step = step
        self._maps = [f for f in step.functions if not isinstance(f, steps.FilterRows)]
        self._schema = _declared(step)
        self._errors = [_errors(step, number) for number in range(len(step.functions))]

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policies of the functions."""
        super().open(ctx, output)
        for errors in self._errors:
            errors.open(ctx, output)

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
        rows = Rows(to_rows(user))
        for function, errors in zip(self._step.functions, self._errors, strict=True):
            rows = self._call(function, errors, rows, batch.frame)
        if not self._maps:
            self._emit(batch.frame if rows.sources is None else batch.frame[rows.sources])
            return
        if not rows.rows:
            return
        frame, rows = self._frame(rows, batch.frame)
        self._emit(join_hidden(frame, hidden if rows.sources is None else hidden[rows.sources]))

    def _emit(self, frame: pl.DataFrame) -> None:
        if frame.height:
            self.output.emit(Batch(frame))

    def _call(self, step: RowStep, errors: RowErrors, rows: Rows, frame: pl.DataFrame) -> Rows:
        """Rows after one function."""
        function = step.function
        if isinstance(step, steps.FlatMap):
            function = _Listed(function)
        results, bad = called(function, rows.rows, go_on=errors.policy is not ErrorPolicy.FAIL)
        if bad:
            first = errors is self._errors[0]  # a function may have changed the dict it was given
            given = [{} if first else rows.rows[r.index] for r in bad]
            told = {
                r.index: BadRow(row, r.reason, cause=r.cause, where=r.where)
                for row, r in zip(given, bad, strict=True)
            }
            rows = _without(rows, told, errors, frame)
        if isinstance(step, steps.FilterRows):
            return self._passed(results, rows)
        made = Rows(results, rows.sources)
        return _checked(
            step, _flat(made) if isinstance(step, steps.FlatMap) else made, errors, frame
        )

    def _passed(self, results: list[Any], rows: Rows) -> Rows:
        kept = [index for index, passed in enumerate(results) if passed]
        if len(kept) == len(rows.rows):
            return rows
        self.ctx.count("filtered_rows", len(rows.rows) - len(kept))
        gone = (row for row, passed in zip(rows.rows, results, strict=True) if not passed)
        self.ctx.sample("filtered_rows", lambda: rows_left_out(gone))
        return rows.take(kept)

    def _frame(self, rows: Rows, frame: pl.DataFrame) -> tuple[pl.DataFrame, Rows]:
        """The rows as columns, without those that do not fit."""
        if self._schema is None:
            self._schema = infer_schema(rows.rows) or Schema({})
        fitted = to_frame(rows.rows, self._schema)
        if fitted.misfits:
            last = self._step.functions.index(self._maps[-1])
            where = defined_at(self._maps[-1].function)
            columns = ", ".join(f"{n} {d}" for n, d in self._schema.columns.items())
            advice = f"columns are {columns}; declare others with schema="
            told = {
                m.index: BadRow(
                    rows.rows[m.index],
                    f"a row of the function does not fit: {m.reason}",
                    where=where,
                    advice=advice,
                )
                for m in fitted.misfits
            }
            rows = _without(rows, told, self._errors[last], frame)
        return fitted.frame, rows


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


def _errors(step: steps.RowFunctions, number: int) -> RowErrors:
    """The first function has the name of the step, and its side output."""
    policy = step.functions[number].errors
    if not step.said:
        return RowErrors(policy)
    name, where = step.said[number]
    return RowErrors(policy, where, name, dead_letters_of(name) if number else ERRORS)


class _Listed:
    """A flat_map that is through with a row when it returns: a row fails as a whole."""

    def __init__(self, function: Callable[[Row], Any]) -> None:
        self._function = function
        self.__code__ = getattr(function, "__code__", None)

    def __call__(self, row: Row) -> list[Any]:
        return list(self._function(row))


def _flat(made: Rows) -> Rows:
    rows = [row for each in made.rows for row in each]
    sources = [made.source(index) for index, each in enumerate(made.rows) for _ in each]
    return Rows(rows, sources)


def _checked(
    step: steps.Map | steps.FlatMap, made: Rows, errors: RowErrors, frame: pl.DataFrame
) -> Rows:
    if all(type(row) is dict for row in made.rows):
        return made
    rows = [as_row(row) for row in made.rows]
    where, advice = defined_at(step.function), "return a dict of column name to value"
    told = {
        index: BadRow(
            {},
            f"the function gave {type(made.rows[index]).__name__}, not a dict",
            where=where,
            advice=advice,
            kind=UserCodeError,
        )
        for index, row in enumerate(rows)
        if row is None
    }
    checked = Rows(rows, made.sources)
    return _without(checked, told, errors, frame) if told else checked


def as_row(row: Any) -> Row | None:
    """What a function gave as a row; None if it is none."""
    if isinstance(row, Mapping):
        return dict(row)
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return None


def _without(
    rows: Rows, told: Mapping[int, BadRow], errors: RowErrors, frame: pl.DataFrame
) -> Rows:
    """The other rows; those told of go by the policy, with what their record carries."""
    records = frame[[rows.source(index) for index in told]]
    whole = bad_rows(records, [bad.reason for bad in told.values()])
    errors.reject(
        [
            dataclasses.replace(bad, row=bad.row or one.row, time=one.time, key=one.key)
            for bad, one in zip(told.values(), whole, strict=True)
        ]
    )
    return rows.take([index for index in range(len(rows.rows)) if index not in told])
