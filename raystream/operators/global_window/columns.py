"""Columns of windows that event time does not bound: of the result, and of the state."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL, SEEN
from raystream.operators.expressions import configuration_errors
from raystream.operators.global_window.step import GlobalAggregate
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.columns import check_names
from raystream.operators.window.keys import check_keys
from raystream.operators.window.panes import PANE, WINDOW_END, WINDOW_START

TOTAL = f"{HIDDEN}total"
"""Int64: rows of a key so far; for a trigger of the clock those that were emitted."""

_EARLIEST, _LATEST = f"{HIDDEN}earliest", f"{HIDDEN}latest"


def by_of(step: GlobalAggregate) -> list[str]:
    """Key columns in the state."""
    return list(step.keys) or [ALL]


def aggregation_of(step: GlobalAggregate, columns: Mapping[str, pl.DataType] | None) -> Aggregation:
    """The aggregates of the user, and the event times of the rows.

    Args:
        step: The step.
        columns: Of the rows; None: only partials are merged.

    Raises:
        ConfigurationError: a value or condition that cannot be used.
    """
    times = {
        _EARLIEST: Aggregate(AggregateKind.MIN, pl.col(TIME)),
        _LATEST: Aggregate(AggregateKind.MAX, pl.col(TIME)),
    }
    known = None if columns is None else {**columns, TIME: pl.Int64()}
    return Aggregation({**step.aggregates, **times}, known)


def state_types(
    step: GlobalAggregate, aggregation: Aggregation, columns: Mapping[str, pl.DataType]
) -> dict[str, pl.DataType]:
    """Columns of the state for rows of these columns."""
    kept = aggregation.kept
    assert kept is not None, "columns are known"
    keys = {key: columns[key] for key in step.keys} or {ALL: pl.Int8()}
    own = dict.fromkeys((PANE, TOTAL, SEEN), pl.Int64())
    return {**keys, **kept, **own}


def output_columns(step: GlobalAggregate) -> list[pl.Expr]:
    """Output columns of finished windows, with event time: that of the last row."""
    end = (pl.col(_LATEST) + 1).alias(WINDOW_END)
    bounds = [pl.col(_EARLIEST).alias(WINDOW_START), end]
    keys, values = map(pl.col, step.keys), map(pl.col, step.aggregates)
    return [*keys, *bounds, *values, pl.col(_LATEST).alias(TIME)]


def output_schema(step: GlobalAggregate, schema: Schema) -> Schema:
    """Keys, window_start, window_end and aggregates.

    Raises:
        ConfigurationError: a column does not exist, or two output columns have one name.
    """
    check_keys(step.keys, schema.columns)
    check_names((*step.keys, *step.aggregates), (WINDOW_START, WINDOW_END))
    with configuration_errors("agg"):
        aggregation = aggregation_of(step, schema.columns)
        state = pl.DataFrame(schema=state_types(step, aggregation, schema.columns))
        finished = aggregation.finish(state).frame
    found = finished.select(output_columns(step)).schema
    required = schema.required & set(step.keys)
    return Schema(Schema.of_frame(found, step.keys).columns, required, step.keys)
