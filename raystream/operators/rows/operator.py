"""RowFunctions: adjacent map, flat_map and filter on dicts, fused; rows are built once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.beyond_python import beyond_python
from raystream.data.left_out import rows_left_out
from raystream.data.rows import to_frame, to_rows
from raystream.data.schema import Schema
from raystream.errors import UserCodeError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.changing.pairs import paired, settled
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import BadRow, RowErrors, bad_rows
from raystream.operators.rows.step import FilterRows, FlatMap, Map
from raystream.operators.rows.step import RowFunctions as Step
from raystream.operators.rows.truth import truths
from raystream.operators.side_outputs import ERRORS, dead_letters_of
from raystream.operators.user_code import called, defined_at, untyped

Row = dict[str, Any]
RowStep = Map | FlatMap | FilterRows


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """Rows inside the step.

    Args:
        rows: Input of the next function.
        sources: Row of the batch that each came from; None: all, in order.
        frame: The same as columns, if a function produced them.
    """

    rows: list[Any]
    sources: list[int] | None = None
    frame: pl.DataFrame | None = None

    def source(self, index: int) -> int:
        """Number, in the batch, of the row from which row `index` came."""
        return index if self.sources is None else self.sources[index]

    def take(self, indexes: Sequence[int]) -> Rows:
        """These rows."""
        frame = None if self.frame is None else self.frame[indexes]
        return Rows([self.rows[i] for i in indexes], [self.source(i) for i in indexes], frame)


class RowFunctions(Operator):
    """Calls the functions, one after the other, on all rows of a batch.

    Output rows inherit the hidden columns (event time) of their source row. The result of a
    function is cast to the types of its step before the next function sees it. The policy of
    that step handles rows for which a function raises, or that do not fit.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._schemas = [_declared(function) for function in step.functions]
        self._errors = [_errors(step, number) for number in range(len(step.functions))]

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policies of the functions."""
        super().open(ctx, output)
        for errors in self._errors:
            errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the results of the functions."""
        frame, reasons = paired(batch.frame), beyond_python(batch.frame)
        if reasons is not None:
            frame = self._errors[0].without(frame, reasons)
        user, hidden = split_hidden(frame)
        rows = Rows(to_rows(user))
        for number, function in enumerate(self._step.functions):
            rows = self._call(function, self._errors[number], rows, frame)
            if not rows.rows:
                return
            if not isinstance(function, FilterRows):
                rows = self._fitted(number, function, rows, frame)
        if rows.frame is None:
            self._emit(frame if rows.sources is None else frame[rows.sources])
            return
        kept = hidden if rows.sources is None else hidden[rows.sources]
        self._emit(join_hidden(rows.frame, kept))

    def _emit(self, frame: pl.DataFrame) -> None:
        if frame.height:
            self.output.emit(Batch(settled(frame)))

    def _call(self, step: RowStep, errors: RowErrors, rows: Rows, frame: pl.DataFrame) -> Rows:
        """Rows after one function."""
        function = Listed(step.function) if isinstance(step, FlatMap) else step.function
        keep = _KEPT.get(type(step), iter)
        go_on = errors.policy is not ErrorPolicy.FAIL
        results, bad = called(function, rows.rows, go_on=go_on, keep=keep)
        if bad:
            first = errors is self._errors[0]  # a function may have changed the dict it was given
            given = [{} if first else rows.rows[r.index] for r in bad]
            told = {
                r.index: BadRow(row, r.reason, cause=r.cause, where=r.where)
                for row, r in zip(given, bad, strict=True)
            }
            rows = _without(rows, told, errors, frame)
        if isinstance(step, FilterRows):
            return self._passed(results, rows)
        made = Rows(results, rows.sources)
        return _checked(step, _flat(made) if isinstance(step, FlatMap) else made, errors, frame)

    def _passed(self, results: list[Any], rows: Rows) -> Rows:
        kept = [index for index, passed in enumerate(results) if passed]
        if len(kept) == len(rows.rows):
            return rows
        self.ctx.count("filtered_rows", len(rows.rows) - len(kept))
        gone = (row for row, passed in zip(rows.rows, results, strict=True) if not passed)
        self.ctx.sample("filtered_rows", lambda: rows_left_out(gone))
        return rows.take(kept)

    def _fitted(self, number: int, step: Map | FlatMap, rows: Rows, frame: pl.DataFrame) -> Rows:
        """Cast the rows to the types of their columns, without those that do not fit."""
        schema = self._schemas[number]
        if schema is None:
            raise untyped(self.ctx.step, self.ctx.origin)
        fitted = to_frame(rows.rows, schema)
        if fitted.misfits:
            columns = ", ".join(f"{n} {d}" for n, d in schema.columns.items())
            told = {
                m.index: BadRow(
                    rows.rows[m.index],
                    f"a row of the function does not fit: {m.reason}",
                    where=defined_at(step.function),
                    advice=f"columns are {columns}; declare others with schema=",
                )
                for m in fitted.misfits
            }
            rows = _without(rows, told, self._errors[number], frame)
        last = number == len(self._schemas) - 1
        made = rows.rows if last or fitted.as_read else to_rows(fitted.frame)
        return Rows(made, rows.sources, fitted.frame)


def _declared(function: RowStep) -> Schema | None:
    if isinstance(function, FilterRows) or function.schema is None:
        return None
    declared = Schema.of(function.schema)
    return None if declared.open else declared


def _errors(step: Step, number: int) -> RowErrors:
    """The first function has the name and the side output of the step."""
    policy = step.functions[number].errors
    if not step.places:
        return RowErrors(policy)
    name, where = step.places[number]
    return RowErrors(policy, where, name, dead_letters_of(name) if number else ERRORS)


class Listed:
    """A flat_map whose results are collected when it returns: a row fails as a whole."""

    def __init__(self, function: Callable[[Row], Any]) -> None:
        self._function = function
        self.__code__ = getattr(function, "__code__", None)

    def __call__(self, row: Row) -> list[Any]:
        """All rows that it returns for this one."""
        return [r.copy() if type(r) is dict else _own(r) for r in self._function(row)]


def own_rows(results: Iterable[Any]) -> Iterator[Any]:
    """Copy the results at once: a function may yield the same dict again, changed."""
    return (r.copy() if type(r) is dict else _own(r) for r in results)


_KEPT = {Map: own_rows, FilterRows: truths}


def _own(given: Any) -> Any:
    row = as_row(given)
    return given if row is None else row


def _flat(made: Rows) -> Rows:
    rows = [row for each in made.rows for row in each]
    sources = [made.source(index) for index, each in enumerate(made.rows) for _ in each]
    return Rows(rows, sources)


def _checked(step: Map | FlatMap, made: Rows, errors: RowErrors, frame: pl.DataFrame) -> Rows:
    if all(type(row) is dict for row in made.rows):
        return made
    where, advice = defined_at(step.function), "return a dict of column name to value"
    told = {
        index: BadRow(
            {},
            f"the function gave {type(made.rows[index]).__name__}, not a dict",
            where=where,
            advice=advice,
            kind=UserCodeError,
        )
        for index, row in enumerate(made.rows)
        if type(row) is not dict
    }
    return _without(made, told, errors, frame)


def as_row(row: Any) -> Row | None:
    """The result of a function as a row; None if it is not one."""
    if isinstance(row, Mapping):
        return dict(row)
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return None


def _without(
    rows: Rows, told: Mapping[int, BadRow], errors: RowErrors, frame: pl.DataFrame
) -> Rows:
    """The other rows; the policy handles those that failed, with what their record carries."""
    records = frame[[rows.source(index) for index in told]]
    whole = bad_rows(records, [bad.reason for bad in told.values()])
    errors.reject(
        [
            dataclasses.replace(
                bad,
                row=bad.row or one.row,
                time=one.time,
                key=one.key,
                place=one.place,
                gone=one.gone,
            )
            for bad, one in zip(told.values(), whole, strict=True)
        ]
    )
    return rows.take([index for index in range(len(rows.rows)) if index not in told])
