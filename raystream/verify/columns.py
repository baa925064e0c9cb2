"""Steps that make each row, or each batch, anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.verify.event_time import time_of
from raystream.verify.rows import TAG, TIME, Row, column, visible


def filtered(step: Any, rows: list[Row]) -> list[Row]:
    """Rows whose condition holds."""
    kept = column(step.condition, rows)
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def split(step: Any, rows: list[Row]) -> list[Row]:
    """The rows of all outputs, with their tags; a later condition is not asked of taken rows."""
    found = []
    for tag, condition in step.branches.items():
        met = column(condition, rows)
        found += [{**row, TAG: tag} for row, yes in zip(rows, met, strict=True) if yes]
        rows = [row for row, yes in zip(rows, met, strict=True) if not yes]
    return found + [{**row, TAG: "main"} for row in rows]


def select(step: Any, rows: list[Row]) -> list[Row]:
    """These columns."""
    columns = {_name(wanted): _values(wanted, rows) for wanted in step.columns}
    columns |= {name: column(written, rows) for name, written in step.computed.items()}
    return [
        {TIME: row[TIME], **{name: values[number] for name, values in columns.items()}}
        for number, row in enumerate(rows)
    ]


def _name(wanted: Any) -> str:
    return wanted if isinstance(wanted, str) else str(wanted.meta.output_name())


def _values(wanted: Any, rows: list[Row]) -> list[Any]:
    return [row[wanted] for row in rows] if isinstance(wanted, str) else column(wanted, rows)


def with_columns(step: Any, rows: list[Row]) -> list[Row]:
    """With further columns."""
    return _add(step.columns, rows)


def _add(columns: Mapping[str, Any], rows: list[Row]) -> list[Row]:
    added = {name: column(expression, rows) for name, expression in columns.items()}
    return [
        {**row, **{name: values[number] for name, values in added.items()}}
        for number, row in enumerate(rows)
    ]


def drop(step: Any, rows: list[Row]) -> list[Row]:
    """Without these columns."""
    return [{n: v for n, v in row.items() if n not in step.columns} for row in rows]


def rename(step: Any, rows: list[Row]) -> list[Row]:
    """With other names."""
    return [{step.columns.get(name, name): value for name, value in row.items()} for row in rows]


def mapped(step: Any, rows: list[Row]) -> list[Row]:
    """What the function returns."""
    return [{TIME: row[TIME], **step.function(visible(row))} for row in rows]


def flat_map(step: Any, rows: list[Row]) -> list[Row]:
    """All that the function returns."""
    return [{TIME: row[TIME], **new} for row in rows for new in step.function(visible(row))]


def filter_rows(step: Any, rows: list[Row]) -> list[Row]:
    """Rows for which the function returns true."""
    return [row for row in rows if step.function(visible(row))]


def map_batches(step: Any, rows: list[Row]) -> list[Row]:
    """What the function makes of all rows at once."""
    if step.batch_format != "polars":
        what = f"map_batches with batch_format {step.batch_format!r} is not evaluated"
        raise ConfigurationError(what)
    if not rows:
        return []
    frame = step.function(pl.DataFrame([visible(row) for row in rows], infer_schema_length=None))
    made: list[Row] = frame.to_dicts()
    times = [row[TIME] for row in rows] if len(made) == len(rows) else [None] * len(made)
    return [{TIME: time, **row} for time, row in zip(times, made, strict=True)]


def with_processing_time(step: Any, rows: list[Row]) -> list[Row]:
    """Refused.

    Raises:
        ConfigurationError: only the clock knows.
    """
    what = "no evaluation of the time of the clock"
    raise ConfigurationError(what)


def with_event_time(step: Any, rows: list[Row]) -> list[Row]:
    """With another event time."""
    return [{**row, TIME: time_of(step, row)} for row in rows]


def union(step: Any, *inputs: list[Row]) -> list[Row]:
    """All rows of all inputs."""
    return [row for rows in inputs for row in rows]


def same(step: Any, rows: list[Row]) -> list[Row]:
    """All rows."""
    return rows


def key_by(step: Any, rows: list[Row]) -> list[Row]:
    """With the keys that are computed."""
    return _add(step.computed, rows) if step.computed else rows
