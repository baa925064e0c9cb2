"""KeyBy: names the key of the rows; computed keys become columns. The exchange is the engine's."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.data.inference import infer_type
from raystream.data.rows import to_rows
from raystream.data.schema import Schema
from raystream.expressions.compiled import compiled
from raystream.graph import steps
from raystream.operators.base import Operator
from raystream.operators.expressions import (
    check_columns,
    configuration_errors,
    join_hidden,
    split_hidden,
)
from raystream.operators.user_code import user_code


class KeyBy(Operator):
    """Adds the computed key columns."""

    def __init__(self, step: steps.KeyBy) -> None:
        self._step = step

    def process(self, batch: Batch) -> None:
        """Emit the same rows, with their key."""
        if not self._step.computed:
            self.output.emit(batch)
            return
        user, hidden = split_hidden(batch.frame)
        self.output.emit(Batch(join_hidden(_with_keys(self._step, user), hidden)))


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
        columns = _with_keys(step, schema.empty()).schema
    return Schema(columns, schema.required - set(step.computed), step.keys)


def _with_keys(step: steps.KeyBy, user: pl.DataFrame) -> pl.DataFrame:
    expressions = {n: how for n, how in step.computed.items() if not _is_function(how)}
    functions = {n: how for n, how in step.computed.items() if _is_function(how)}
    keyed = user.with_columns(
        compiled(how, user.schema).value.alias(name) for name, how in expressions.items()
    )
    if not functions:
        return keyed
    rows = to_rows(user)
    for name, function in functions.items():
        with user_code(function):
            values = [function(row) for row in rows]
            series = pl.Series(name, values, infer_type(values))
        keyed = keyed.with_columns(series)
    return keyed


def _is_function(how: object) -> bool:
    return callable(how) and not isinstance(how, pl.Expr)
