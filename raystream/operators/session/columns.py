"""Columns of sessions: of the result, and of the state."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.ids import HIDDEN
from raystream.operators.expressions import check_columns, configuration_errors
from raystream.operators.session.step import SessionAggregate
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.columns import check_names
from raystream.operators.window.keys import check_keys
from raystream.operators.window.panes import WINDOW_END, WINDOW_START

ALL = f"{HIDDEN}all"
"""Int8: the key of the sessions of all rows, in the state."""

START = f"{HIDDEN}start"
"""Int64, epoch ms: first row of a session."""

REACH = f"{HIDDEN}reach"
"""Int64, epoch ms: the last time at which a row still belongs to the session."""

WAKE = f"{HIDDEN}wake"
"""Int64, epoch ms: watermark at which the sessions of a key are looked at."""

SESSION = f"{HIDDEN}session"
"""Int64: number of the session of a row among those of its batch."""


def by_of(step: SessionAggregate) -> list[str]:
    """Key columns in the state."""
    return list(step.keys) or [ALL]


def kept_types(
    step: SessionAggregate, aggregation: Aggregation, columns: Mapping[str, pl.DataType]
) -> dict[str, pl.DataType]:
    """Columns of the state for rows of these columns."""
    kept = aggregation.kept
    assert kept is not None, "columns are known"
    return {**key_types(step, columns), START: pl.Int64(), REACH: pl.Int64(), **kept}


def key_types(step: SessionAggregate, columns: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Types of the key in the state."""
    return {key: columns[key] for key in step.keys} or {ALL: pl.Int8()}


def output_schema(step: SessionAggregate, schema: Schema) -> Schema:
    """Keys, window_start, window_end and aggregates.

    Raises:
        ConfigurationError: a column does not exist, or two output columns have one name.
    """
    check_keys(step.keys, schema.columns)
    _check_gap(step, schema.columns)
    check_names((*step.keys, *step.aggregates), (WINDOW_START, WINDOW_END))
    with configuration_errors("agg"):
        aggregation = Aggregation(step.aggregates, {**schema.columns, TIME: pl.Int64()})
        state = pl.DataFrame(schema=kept_types(step, aggregation, schema.columns))
        finished = aggregation.finish(state).frame
    found = finished.select(output_columns(step)).schema
    required = (schema.required & set(step.keys)) | {WINDOW_START, WINDOW_END}
    return Schema(Schema.of_frame(found, step.keys).columns, required, step.keys)


def output_columns(step: SessionAggregate) -> list[pl.Expr]:
    """Output columns of finished sessions, with event time."""
    bounds = [pl.col(START).alias(WINDOW_START), pl.col(REACH).alias(WINDOW_END)]
    keys, values = map(pl.col, step.keys), map(pl.col, step.aggregates)
    return [*keys, *bounds, *values, (pl.col(REACH) - 1).alias(TIME)]


def _check_gap(step: SessionAggregate, columns: Mapping[str, pl.DataType]) -> None:
    column = step.window.column
    if column is None:
        return
    check_columns([column], columns)
    if not columns[column].is_integer() and not isinstance(columns[column], pl.Duration):
        what = f"session: the gap {column!r} is {columns[column]}, not whole milliseconds"
        raise ConfigurationError(what, what_to_do="give a column of integers (ms) or durations")
