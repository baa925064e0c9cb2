"""Columns of a windowed aggregation: of its result, and of its partials."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from raystream.data.batch import IS_FINAL, TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.policies import Early
from raystream.operators.expressions import configuration_errors
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.keys import check_keys
from raystream.operators.window.panes import PANE, WINDOW_END, WINDOW_START
from raystream.operators.window.step import WindowAggregate

FINAL = "final"
"""Boolean output column, only with early results."""


def output_schema(asked: WindowAggregate, schema: Schema) -> Schema:
    """Keys, window_start, window_end, aggregates, and `final` with early results.

    Raises:
        ConfigurationError: a column does not exist, or two output columns have one name.
    """
    check_keys(asked.keys, schema.columns)
    final = [FINAL] if isinstance(asked.emit, Early) else []
    check_names((*asked.keys, *asked.aggregates), (WINDOW_START, WINDOW_END, *final))
    rows = schema.empty().with_columns(pl.lit(None, pl.Int64).alias(TIME))
    with configuration_errors("agg"):
        aggregation = Aggregation(asked.aggregates, rows.schema)
        by: list[str | pl.Expr] = [pl.lit(0).alias(PANE), *asked.keys]
        partials = aggregation.partial(aggregation.with_values(rows), by)
        window = pl.lit(None, pl.Int64)
        merged = partials.with_columns(window.alias(WINDOW_START), window.alias(WINDOW_END))
        finished = aggregation.finish(merged).frame
        found = finished.select(output_columns(asked, final=True)).schema
    required = (schema.required & set(asked.keys)) | {WINDOW_START, WINDOW_END}
    visible = Schema.of_frame(found, asked.keys)
    return Schema(visible.columns, required, asked.keys)


def output_columns(asked: WindowAggregate, *, final: bool) -> list[pl.Expr]:
    """Output columns of merged and finished rows, with event time."""
    names = (*asked.keys, WINDOW_START, WINDOW_END, *asked.aggregates)
    columns = [pl.col(name) for name in names]
    if isinstance(asked.emit, Early):
        columns += [pl.lit(final).alias(FINAL), pl.lit(final).alias(IS_FINAL)]
    return [*columns, (pl.col(WINDOW_END) - 1).alias(TIME)]


def check_names(names: Iterable[str], taken: Iterable[str]) -> None:
    """Refuse keys and aggregates that share a name, or have one that the step gives itself.

    Raises:
        ConfigurationError: two output columns would have one name.
    """
    seen = set(taken)
    for name in names:
        if name in seen:
            what = f"agg: two output columns would be called {name!r}"
            raise ConfigurationError(what, what_to_do="give the key or the aggregate another name")
        seen.add(name)


def local_schema(asked: WindowAggregate, schema: Schema) -> Schema:
    """The key columns; everything else is hidden.

    Raises:
        ConfigurationError: a key or a column of an aggregate does not exist.
    """
    check_keys(asked.keys, schema.columns)
    with configuration_errors("agg"):
        Aggregation(asked.aggregates, schema.columns)
    return only_keys(asked.keys, schema)


def only_keys(keys: tuple[str, ...], schema: Schema) -> Schema:
    """The key columns, which are there."""
    return Schema({name: schema.columns[name] for name in keys}, schema.required & set(keys), keys)
