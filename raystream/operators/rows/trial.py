"""Call row functions with a few rows: their results reveal the columns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from raystream.data.rows import to_rows
from raystream.operators.rows.operator import Listed, own_rows
from raystream.operators.rows.step import FlatMap, Map
from raystream.operators.trial import Replayed, Tried
from raystream.operators.user_code import called


def tried_rows(
    step: Map | FlatMap, user: pl.DataFrame, *, flat: bool, only: Collection[str] | None
) -> Tried:
    """Call the function with each row.

    Args:
        step: Whose types are not known.
        user: The user's columns of some rows.
        flat: It returns several rows for each.
        only: The columns to consider; None: all.
    """
    function = Listed(step.function) if flat else step.function
    results, bad = called(function, to_rows(user), go_on=True, keep=iter if flat else own_rows)
    given = [row for each in results for row in each] if flat else results
    made = [row for row in given if isinstance(row, dict)]
    reason = bad[0].reason if bad else ""
    if not made and given:
        reason = f"the function gave {type(given[0]).__name__}, not a dict"
    columns = _columns(made)
    if only is not None:
        columns = {name: columns[name] for name in only if name in columns}
    return Tried(columns, None, len(made), reason, step.but(function=Replayed(results, bad)))


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns
