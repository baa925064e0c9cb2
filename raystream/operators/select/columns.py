"""Compile the columns of a select for the input columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import polars as pl

from raystream.data.schema import Schema
from raystream.expressions.compiled import Compiled, compiled
from raystream.operators.expressions import check_columns, configuration_errors, naming
from raystream.operators.select.step import Select
from raystream.operators.words import column


def output_schema(step: Select, schema: Schema) -> Schema:
    """The chosen columns.

    Raises:
        ConfigurationError: a column is missing, or an expression looks beyond its row.
    """
    wanted = [found.value for found in chosen(step, schema.columns)]
    with configuration_errors("select"):
        made = schema.empty().select(wanted)
    required = schema.required & (set(made.columns) - set(_new(step)))
    return Schema(made.schema, required, schema.key if set(schema.key) <= set(made.columns) else ())


def chosen(step: Select, columns: Mapping[str, pl.DataType]) -> list[Compiled]:
    """The columns, compiled under their names.

    Raises:
        ConfigurationError: as `output_schema`.
    """
    check_columns([name for name in step.columns if isinstance(name, str)], columns)
    with naming("select"):
        return [
            *(_by_name(c) if isinstance(c, str) else compiled(c, columns) for c in step.columns),
            *(_as(name, compiled(each, columns)) for name, each in step.computed.items()),
        ]


def _by_name(name: str) -> Compiled:
    return Compiled(pl.col(name), pl.Null(), frozenset([name]), constant=False)


def _as(name: str, made: Compiled) -> Compiled:
    return dataclasses.replace(made, value=made.value.alias(name))


def _new(step: Select) -> Iterator[str]:
    """Names whose values are computed; they may be null whatever was declared of an old column."""
    for each in step.columns:
        if not isinstance(each, str) and not each.meta.has_multiple_outputs():
            if not each.meta.is_column():
                yield column(each)
    yield from (name for name, written in step.computed.items() if written != name)
