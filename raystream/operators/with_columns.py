"""WithColumns: columns added or replaced."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.expressions.compiled import compiled
from raystream.graph import steps
from raystream.operators.base import Operator
from raystream.operators.expressions import (
    configuration_errors,
    join_hidden,
    split_hidden,
)


class WithColumns(Operator):
    """Computes columns; all expressions see the columns as they came in."""

    def __init__(self, step: steps.WithColumns) -> None:
        self._step = step
        self._expressions: list[pl.Expr] | None = None

    def process(self, batch: Batch) -> None:
        """Emit the same rows with the new columns."""
        user, hidden = split_hidden(batch.frame)
        if self._expressions is None:
            self._expressions = _compile(self._step, user)
        self.output.emit(Batch(join_hidden(user.with_columns(self._expressions), hidden)))


def output_schema(step: steps.WithColumns, schema: Schema) -> Schema:
    """The columns and the new ones behind them.

    Raises:
        ConfigurationError: an expression names a missing column or does not fit its types.
    """
    empty = schema.empty()
    with configuration_errors("with_columns"):
        columns = empty.with_columns(_compile(step, empty)).schema
    replaced = set(step.columns)
    return Schema(columns, schema.required - replaced, schema.key)


def _compile(step: steps.WithColumns, user: pl.DataFrame) -> list[pl.Expr]:
    return [compiled(e, user.schema).value.alias(name) for name, e in step.columns.items()]
