"""Columns of an aggregation without a window: of its result, and of its state."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL, SEEN
from raystream.operators.expressions import check_columns, configuration_errors
from raystream.operators.group_aggregate.step import GroupAggregate
from raystream.operators.window.aggregates import Aggregation

LATEST = f"{HIDDEN}latest"
"""Int64: greatest event time of the rows of a key."""

EMITTED = f"{HIDDEN}emitted"
"""Int64: event time of the row that was emitted last for a key."""


def aggregates_of(step: GroupAggregate) -> dict[str, Aggregate]:
    """The aggregates of the user, and the greatest event time."""
    return {**step.aggregates, LATEST: Aggregate(AggregateKind.MAX, pl.col(TIME))}


def with_times(columns: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Columns of a batch."""
    return {**columns, TIME: pl.Int64()}


def by_of(step: GroupAggregate) -> list[str]:
    """Key columns in the state."""
    return list(step.keys) or [ALL]


def partials_of(
    step: GroupAggregate, aggregation: Aggregation, rows: pl.DataFrame, *apart: pl.Expr
) -> pl.DataFrame:
    """A row of partials per key (and value of `apart`) of rows that have their values."""
    by: list[str | pl.Expr] = [*step.keys] or [pl.lit(0, pl.Int8()).alias(ALL)]
    return aggregation.partial(rows, [*by, *apart])


def state_types(
    step: GroupAggregate, aggregation: Aggregation, columns: Mapping[str, pl.DataType]
) -> dict[str, pl.DataType]:
    """Columns of the state for rows of these columns."""
    rows = aggregation.with_values(pl.DataFrame(schema=columns))
    partials = partials_of(step, aggregation, rows)
    return {**partials.schema, EMITTED: pl.Int64(), SEEN: pl.Int64()}


def output_schema(step: GroupAggregate, schema: Schema) -> Schema:
    """Keys and aggregates.

    Raises:
        ConfigurationError: a column does not exist, or two output columns have one name.
    """
    check_columns(list(step.keys), schema.columns)
    twice = [name for name in step.keys if name in step.aggregates]
    if twice:
        what = f"aggregate: two output columns would be called {twice[0]!r}"
        raise ConfigurationError(what, what_to_do="give the aggregate another name")
    columns = with_times(schema.columns)
    with configuration_errors("aggregate"):
        aggregation = Aggregation(aggregates_of(step), columns)
        rows = aggregation.with_values(pl.DataFrame(schema=columns))
        finished = aggregation.finish(partials_of(step, aggregation, rows)).frame
    found = finished.select(*step.keys, *step.aggregates).schema
    visible = Schema.of_frame(found, step.keys)
    return Schema(visible.columns, schema.required & set(step.keys), step.keys)
