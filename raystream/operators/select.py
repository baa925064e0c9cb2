"""Select: only these columns, by name or as named expressions."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import Batch
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph import steps
from raystream.operators.base import Operator
from raystream.operators.expressions import (
    check_columns,
    configuration_errors,
    join_hidden,
    split_hidden,
)


class Select(Operator):
    """Chooses and computes columns; hidden columns stay with their rows."""

    def __init__(self, step: steps.Select) -> None:
        self._step = step

    def process(self, batch: Batch) -> None:
        """Emit the same rows with the chosen columns."""
        user, hidden = split_hidden(batch.frame)
        self.output.emit(Batch(join_hidden(_select(self._step, user), hidden)))


def output_schema(step: steps.Select, schema: Schema) -> Schema:
    """The chosen columns.

    Raises:
        ConfigurationError: a column is missing, or an expression folds rows into one.
    """
    with configuration_errors("select"):
        chosen = _select(step, schema.empty())
    if chosen.height:
        what = "select: an expression makes one row out of all rows"
        raise ConfigurationError(what, what_to_do="aggregate with window(...).agg(...)")
    kept = schema.project(chosen.columns)
    return Schema(chosen.schema, kept.required, schema.key if kept.key == schema.key else ())


def _select(step: steps.Select, user: pl.DataFrame) -> pl.DataFrame:
    chosen = [pl.col(c) if isinstance(c, str) else c for c in step.columns]
    check_columns([n for e in chosen for n in e.meta.root_names()], user.schema)
    return user.select(chosen)
