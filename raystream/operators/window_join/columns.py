"""Columns of a window join: those of any join, and start and end of the window."""

from __future__ import annotations

import polars as pl

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.operators.window.panes import WINDOW_END, WINDOW_START


def with_window(joined: Schema) -> Schema:
    """Add start and end of the window.

    Raises:
        ConfigurationError: there are columns of these names.

    >>> with_window(Schema.of({"id": "int"})).names()
    ['id', 'window_start', 'window_end']
    """
    bounds = {WINDOW_START: pl.Int64(), WINDOW_END: pl.Int64()}
    taken = [name for name in bounds if name in joined.columns]
    if taken:
        what = f"join: the result has a column {taken[0]!r} of its window, and one of the rows"
        raise ConfigurationError(what, what_to_do=f'rename(started="{taken[0]}") in front of it')
    return Schema({**joined.columns, **bounds}, joined.required | frozenset(bounds))
