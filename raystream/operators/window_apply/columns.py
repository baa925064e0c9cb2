"""Columns of a window_apply: of its output, and of the rows that it keeps."""

from __future__ import annotations

import polars as pl

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.ids import HIDDEN
from raystream.operators.window.keys import check_keys
from raystream.operators.window.panes import WINDOW_END, WINDOW_START
from raystream.operators.window_apply.step import WindowApply

ARRIVAL = f"{HIDDEN}arrival"
"""Int64: number of a row among those of this subtask, in the order in which they came."""


def returned(step: WindowApply) -> dict[str, pl.DataType]:
    """Columns that the function returns."""
    return dict(Schema.of(step.returns).columns)


def output_schema(step: WindowApply, schema: Schema) -> Schema:
    """Keys, window_start, window_end, and what the function returns.

    Raises:
        ConfigurationError: a key does not exist, or two output columns have one name.
    """
    check_keys(step.keys, schema.columns)
    own = {key: schema.columns[key] for key in step.keys}
    own |= dict.fromkeys((WINDOW_START, WINDOW_END), pl.Int64())
    given = Schema.of(step.returns)
    twice = next((name for name in given.columns if name in own), None)
    if twice is not None:
        what = f"apply: the output has a column {twice!r} already"
        raise ConfigurationError(what, what_to_do="leave it out of what the function returns")
    required = (schema.required & set(step.keys)) | {WINDOW_START, WINDOW_END} | given.required
    return Schema({**own, **given.columns}, required, step.keys)
