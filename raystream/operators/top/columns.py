"""Columns of a top: those of its input, and the rank."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.operators.expressions import check_columns
from raystream.operators.top.step import Order, Top


def output_schema(step: Top, schema: Schema) -> Schema:
    """The columns of the input, and the rank.

    Raises:
        ConfigurationError: a column does not exist, or has no order; the rank is a column already.
    """
    check_order(step.keys, step.by, step.rank, schema)
    if step.rank is None:
        return Schema(schema.columns, schema.required, schema.key)
    columns = {**schema.columns, step.rank: pl.Int64()}
    return Schema(columns, schema.required | {step.rank}, schema.key)


def check_order(keys: Sequence[str], by: Sequence[Order], rank: str | None, schema: Schema) -> None:
    """Refuse columns that do not exist, or have no order, and a rank that is a column already.

    Raises:
        ConfigurationError: without `where`.
    """
    check_columns([*keys, *(each.column for each in by)], schema.columns)
    for each in by:
        dtype = schema.columns[each.column]
        if dtype.is_nested() or dtype == pl.Object:
            what = f"top: {each.column!r} is {dtype}, which has no order"
            raise ConfigurationError(what, what_to_do="order by one of its fields, or its length")
    if rank is not None and rank in schema.columns:
        what = f"top: there is a column {rank!r} already"
        raise ConfigurationError(what, what_to_do="give the rank another name")
