"""Compile the columns of a select for the input columns."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.schema import Schema
from raystream.expressions.compiled import compiled
from raystream.operators.expressions import check_columns, configuration_errors, naming
from raystream.operators.select.step import Select


def output_schema(step: Select, schema: Schema) -> Schema:
    """The chosen columns.

    Raises:
        ConfigurationError: a column is missing, or an expression looks beyond its row.
    """
    wanted = chosen(step, schema.columns)
    with configuration_errors("select"):
        made = schema.empty().select(wanted)
    kept = schema.project(made.columns)
    return Schema(made.schema, kept.required, schema.key if kept.key == schema.key else ())


def chosen(step: Select, columns: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """The columns as Polars expressions.

    Raises:
        ConfigurationError: as `output_schema`.
    """
    check_columns([name for name in step.columns if isinstance(name, str)], columns)
    with naming("select"):
        return [
            pl.col(each) if isinstance(each, str) else compiled(each, columns).value
            for each in step.columns
        ]
