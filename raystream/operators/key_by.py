"""KeyBy: names the key of the rows; computed keys become columns. The exchange is the engine's."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import Batch
from raystream.data.inference import infer_type
from raystream.data.rows import to_rows
from raystream.data.schema import Schema
from raystream.expressions.compiled import Compiled, compiled
from raystream.graph import steps
from raystream.operators.base import Operator
from raystream.operators.evaluation import Evaluation, FirstFails
from raystream.operators.expressions import (
    check_columns,
    join_hidden,
    naming,
    split_hidden,
)
from raystream.operators.user_code import user_code


class KeyBy(Operator):
    """Adds the computed key columns."""

    def __init__(self, step: steps.KeyBy) -> None:
        self._step = step
        self._errors = FirstFails()
        self._evaluation: Evaluation | None = None

    def process(self, batch: Batch) -> None:
        """Emit the same rows, with their key."""
        if not self._step.computed:
            self.output.emit(batch)
            return
        if self._evaluation is None:
            self._evaluation = self._compiled(batch)
        keyed = self._evaluation.of(batch.frame, self._errors)
        if keyed.height:
            self.output.emit(Batch(keyed))

    def _compiled(self, batch: Batch) -> Evaluation:
        made = _compile(self._step, batch.user_frame().schema)
        values = [found.value.alias(name) for name, found in made.items()]

        def compute(frame: pl.DataFrame) -> pl.DataFrame:
            user, hidden = split_hidden(frame)
            return join_hidden(_by_functions(self._step, user, user.with_columns(values)), hidden)

        return Evaluation(list(made.values()), compute)


def output_schema(step: steps.KeyBy, schema: Schema) -> Schema:
    """The columns, keyed; open if a key is computed by a function (known at the first output).

    Raises:
        ConfigurationError: a key is no column.
    """
    existing = [name for name in step.keys if name not in step.computed]
    check_columns(existing, schema.columns)
    if any(_is_function(how) for how in step.computed.values()):
        return Schema({}, key=step.keys, open=True)
    made = {name: found.dtype for name, found in _compile(step, schema.columns).items()}
    return Schema({**schema.columns, **made}, schema.required - set(step.computed), step.keys)


def _compile(step: steps.KeyBy, columns: Mapping[str, pl.DataType]) -> dict[str, Compiled]:
    expressions = {n: how for n, how in step.computed.items() if not _is_function(how)}
    with naming("key_by"):
        return {name: compiled(how, columns) for name, how in expressions.items()}


def _by_functions(step: steps.KeyBy, user: pl.DataFrame, keyed: pl.DataFrame) -> pl.DataFrame:
    functions = {n: how for n, how in step.computed.items() if _is_function(how)}
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
