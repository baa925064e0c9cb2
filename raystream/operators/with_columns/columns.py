"""Compile the columns that with_columns adds."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.schema import Schema
from raystream.expressions.compiled import Compiled, compiled
from raystream.operators.expressions import naming
from raystream.operators.with_columns.step import WithColumns


def output_schema(step: WithColumns, schema: Schema) -> Schema:
    """The input columns, followed by the new ones.

    Raises:
        ConfigurationError: an expression names a missing column or does not fit its types.
    """
    made = compiled_columns(step, schema.columns)
    columns = {**schema.columns, **{name: found.dtype for name, found in made.items()}}
    return Schema(columns, schema.required - set(step.columns), schema.key)


def compiled_columns(step: WithColumns, columns: Mapping[str, pl.DataType]) -> dict[str, Compiled]:
    """The new columns, compiled.

    Raises:
        ConfigurationError: as `output_schema`.
    """
    with naming("with_columns"):
        return {name: compiled(written, columns) for name, written in step.columns.items()}
