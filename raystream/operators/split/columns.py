"""Compile the conditions of a split for the input columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from raystream.expressions.compiled import Compiled
from raystream.operators.expressions import condition
from raystream.operators.split.step import Split


def conditions_of(step: Split, columns: Mapping[str, pl.DataType]) -> list[Compiled]:
    """The conditions in order; each fails only for rows that no earlier one takes.

    Raises:
        ConfigurationError: one names a missing column, or is not boolean.
    """
    found: list[Compiled] = []
    taken = pl.lit(value=False)
    for tag, written in step.branches.items():
        each = condition(written, columns, f"split({tag}=)")
        value = each.value.fill_null(value=False)
        if each.error is not None:
            each = replace(each, error=pl.when(~taken).then(each.error))
        found.append(replace(each, value=value))
        taken = taken | value
    return found
