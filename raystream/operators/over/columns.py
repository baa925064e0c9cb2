"""Columns of an over: of its output, and of the rows that it keeps."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.ids import HIDDEN
from raystream.operators.expressions import check_columns, configuration_errors
from raystream.operators.over.step import Over
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.values import Values

ARRIVAL = f"{HIDDEN}arrival"
"""Int64: number of a row among those of this subtask, in the order in which they came."""

ROW = f"{HIDDEN}row"
"""Int64: number of a row among those of its key, from 1."""

UNTIL = f"{HIDDEN}until"
"""Int64: watermark up to which a row is kept; null: until others take its place."""

GROUP = f"{HIDDEN}group"
"""Int64: row whose aggregates are computed."""


class Reads:
    """Values that the functions take of rows, computed when a row comes.

    Args:
        step: The step.
        columns: Of the rows.

    Raises:
        ConfigurationError: a value or condition that cannot be used.
    """

    def __init__(self, step: Over, columns: Mapping[str, pl.DataType]) -> None:
        lags = {n: Aggregate(AggregateKind.FIRST, lag.value) for n, lag in step.lags.items()}
        every = {**step.aggregates, **lags}
        known = {**columns, TIME: pl.Int64()}
        self.values = Aggregation(every, known)
        self.aggregation = Aggregation(step.aggregates, known)
        taken = Values(every, known).taken
        self.lagged = {name: taken[name].column or "" for name in lags}
        names = [name for one in taken.values() for name in one.columns if name]
        self.names = list(dict.fromkeys(name for name in names if name not in step.keys))


def output_schema(step: Over, schema: Schema) -> Schema:
    """The columns of the rows, and the functions.

    Raises:
        ConfigurationError: a column does not exist, or there is one already.
    """
    check_columns(list(step.keys), schema.columns)
    for name in step.functions:
        if name in schema.columns:
            what = f"agg: there is a column {name!r} already"
            raise ConfigurationError(what, what_to_do="give the new column another name")
    with configuration_errors("agg"):
        reads = Reads(step, schema.columns)
        rows = schema.empty().with_columns(pl.lit(None, pl.Int64).alias(TIME))
        rows = reads.values.with_values(rows)
        partials = reads.aggregation.partial(rows, [pl.lit(0).alias(GROUP)])
        finished = reads.aggregation.finish(partials).frame.schema
    types = {name: finished[name] for name in step.aggregates}
    types |= {name: rows.schema[column] for name, column in reads.lagged.items()}
    new = {name: types.get(name, pl.Int64()) for name in step.functions}
    numbers = step.functions.keys() - types.keys()
    return Schema({**schema.columns, **new}, schema.required | numbers, schema.key)
