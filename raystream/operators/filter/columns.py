"""Compile the condition of a filter for the input columns."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.errors import ConfigurationError
from raystream.expressions.compiled import Compiled, compiled
from raystream.operators.expressions import naming
from raystream.operators.filter.step import Filter


def condition_of(step: Filter, columns: Mapping[str, pl.DataType]) -> Compiled:
    """The condition, compiled.

    Raises:
        ConfigurationError: it names a missing column, or is not boolean.
    """
    with naming("filter"):
        found = compiled(step.condition, columns)
    if found.dtype != pl.Boolean:
        what = f"filter: the condition is {found.dtype}, not true or false"
        raise ConfigurationError(what, what_to_do="write a comparison")
    return found
