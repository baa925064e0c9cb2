"""Rows of the evaluation: dicts of all columns, with their event time in a hidden one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from raystream.expressions.compiled import compiled
from raystream.ids import HIDDEN

Row = dict[str, Any]
TIME, TAG = f"{HIDDEN}time", f"{HIDDEN}tag"
_WANTED = f"{HIDDEN}wanted"


def visible(row: Row) -> Row:
    """The row as users see it."""
    return {name: value for name, value in row.items() if not name.startswith(HIDDEN)}


def column(expression: Any, rows: Sequence[Row]) -> list[Any]:
    """Values of an expression (SQL text, Polars expression or callable), one per row."""
    if not rows:
        return []
    if callable(expression) and not isinstance(expression, pl.Expr):
        return [expression(visible(row)) for row in rows]
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    wanted = compiled(expression, frame.schema).value
    return frame.with_columns(wanted.alias(_WANTED)).get_column(_WANTED).to_list()


def comparable(value: Any) -> Any:
    """NaN is one value; lists and objects by what is in them."""
    if isinstance(value, list):
        return tuple(map(comparable, value))
    if isinstance(value, dict):
        return tuple((name, comparable(inner)) for name, inner in value.items())
    return "NaN" if value != value else value  # noqa: PLR0124
