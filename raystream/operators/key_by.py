"""KeyBy: names the key of the rows; computed keys become columns. The exchange is the engine's."""

from __future__ import annotations

from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.inference import infer_type
from raystream.data.rows import to_rows
from raystream.data.schema import Schema
from raystream.expressions.compiled import compiled
from raystream.graph import steps
from raystream.graph.policies import ErrorPolicy
from raystream.operators.base import Operator, Output
from raystream.operators.expressions import (
    check_columns,
    configuration_errors,
    join_hidden,
    split_hidden,
)
from raystream.operators.row_errors import RowErrors, reject_raised
from raystream.operators.user_code import Raised, called


class KeyBy(Operator):
    """Adds the computed key columns."""

    def __init__(self, step: steps.KeyBy) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch) -> None:
        """Emit the same rows, with their key."""
        if not self._step.computed:
            self.output.emit(batch)
            return
        frame, made = self._called(batch.frame)
        if not frame.height:
            return
        user, hidden = split_hidden(frame)
        keyed = _with_expressions(self._step, user)
        keyed = keyed.with_columns(
            pl.Series(name, values, infer_type(values)) for name, values in made.items()
        )
        self.output.emit(Batch(join_hidden(keyed, hidden)))

    def _called(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, list[Any]]]:
        """The rows whose functions gave a key, and the keys."""
        functions = {n: how for n, how in self._step.computed.items() if _is_function(how)}
        if not functions:
            return frame, {}
        rows, go_on = to_rows(split_hidden(frame)[0]), self._errors.policy is not ErrorPolicy.FAIL
        made: dict[str, list[Any]] = {}
        told: dict[int, Raised] = {}
        for name, function in functions.items():
            values, bad = called(function, rows, go_on=go_on)
            for one in bad:
                values.insert(one.index, None)
                told.setdefault(one.index, one)
            made[name] = values
            if bad and not go_on:
                break
        if told:
            frame = reject_raised(self._errors, frame, told)
            made = {n: [v for i, v in enumerate(vs) if i not in told] for n, vs in made.items()}
        return frame, made


def output_schema(step: steps.KeyBy, schema: Schema) -> Schema:
    """The columns, keyed; open if a key is computed by a function (known at the first output).

    Raises:
        ConfigurationError: a key is no column.
    """
    existing = [name for name in step.keys if name not in step.computed]
    check_columns(existing, schema.columns)
    if any(_is_function(how) for how in step.computed.values()):
        return Schema({}, key=step.keys, open=True)
    with configuration_errors("key_by"):
        columns = _with_expressions(step, schema.empty()).schema
    return Schema(columns, schema.required - set(step.computed), step.keys)


def _with_expressions(step: steps.KeyBy, user: pl.DataFrame) -> pl.DataFrame:
    expressions = {n: how for n, how in step.computed.items() if not _is_function(how)}
    return user.with_columns(
        compiled(how, user.schema).value.alias(name) for name, how in expressions.items()
    )


def _is_function(how: object) -> bool:
    return callable(how) and not isinstance(how, pl.Expr)
