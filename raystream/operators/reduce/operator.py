"""Reduce: a Process whose one state is the row so far of each key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from raystream.data.schema import Schema
from raystream.graph.process import Context, StateField, StateOptions, Value
from raystream.graph.process import Process as UserProcess
from raystream.operators.process.fields import Stored
from raystream.operators.process.operator import Process
from raystream.operators.process.step import Process as ProcessStep
from raystream.operators.reduce.given_row import given_row, misfit
from raystream.operators.reduce.step import Reduce as Step
from raystream.operators.user_code import untyped

_STATE = "row_so_far"


class Reduce(Process):
    """The keys that this subtask owns."""

    def __init__(self, step: Step) -> None:
        schema = step.columns
        process = _Reducing(step.function, step.keys, schema)
        types = None if schema is None else {key: schema.columns[key] for key in step.keys}
        stored = () if schema is None else (_stored(schema, step.ttl_ms),)
        super().__init__(
            ProcessStep(process, step.keys, schema, errors=step.errors, types=types, states=stored)
        )


def _stored(schema: Schema, ttl_ms: int | None) -> Stored:
    return Stored(StateField(_STATE, Value, (), StateOptions(ttl_ms)), pl.Struct(schema.columns))


class _Reducing(UserProcess):
    """The user's function as a Process."""

    row_so_far: Value[Any]

    def __init__(
        self, function: Callable[[Any, Any], Any], keys: Sequence[str], schema: Schema | None
    ) -> None:
        self.on_row = _OnRow(self, function, keys, schema)  # type: ignore[method-assign]


class _OnRow:
    """`on_row`; messages name the line of the user's function."""

    def __init__(
        self,
        process: _Reducing,
        function: Callable[[Any, Any], Any],
        keys: Sequence[str],
        schema: Schema | None,
    ) -> None:
        self._process, self._function = process, function
        self._keys, self._schema = keys, schema
        self.__code__ = getattr(function, "__code__", None)

    def __call__(self, row: dict[str, Any], ctx: Context) -> dict[str, Any]:
        """The row together with all before it; the first is the row itself."""
        if self._schema is None:
            raise untyped("reduce", "")  # noqa: EM101 - the name of the step
        kept = self._process.row_so_far
        before = kept.get()
        if before is None:
            kept.set(row)
            return row
        own = {key: row[key] for key in self._keys}
        after = given_row(self._function(before, row)) | own
        try:
            kept.set(after)
        except TypeError as error:
            raise misfit(after, self._schema, str(error)) or error from None
        return after
