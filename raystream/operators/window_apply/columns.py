"""Columns of a window_apply: of its output, and of the rows that it keeps."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.ids import HIDDEN
from raystream.operators.window.keys import check_keys
from raystream.operators.window.panes import WINDOW_END, WINDOW_START
from raystream.operators.window_apply.step import WindowApply

_LEAVE_OUT = "leave it out of what the function returns"

ARRIVAL = f"{HIDDEN}arrival"
"""Int64: number of a row among those of this subtask, in the order in which they came."""


def other_columns(keys: Sequence[str], schema: Schema) -> dict[str, pl.DataType]:
    """Columns of rows without their key, and without the bounds of a window that they came from."""
    own = (*keys, WINDOW_START, WINDOW_END)
    return {name: kind for name, kind in schema.columns.items() if name not in own}


def output_schema(step: WindowApply, schema: Schema) -> Schema:
    """Keys, window_start, window_end, and what the function returns.

    Raises:
        ConfigurationError: a key does not exist, or two output columns have one name.
    """
    check_keys(step.keys, schema.columns)
    own = {key: schema.columns[key] for key in step.keys}
    own |= dict.fromkeys((WINDOW_START, WINDOW_END), pl.Int64())
    given = step.returned(schema)
    twice = next((name for name in given.columns if name in own), None)
    if twice is not None:
        what = f"{step.calls()[1].verb}: the output has a column {twice!r} already"
        advice = "give it another name" if step.returns is None else _LEAVE_OUT
        raise ConfigurationError(what, what_to_do=advice)
    required = (schema.required & set(step.keys)) | {WINDOW_START, WINDOW_END} | given.required
    return Schema({**own, **given.columns}, required, step.keys)
