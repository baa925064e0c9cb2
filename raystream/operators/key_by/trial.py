"""Call key functions with a few rows: their results reveal the types."""

from __future__ import annotations

from typing import Any

import polars as pl

from raystream.data.rows import to_rows
from raystream.operators.key_by.step import KeyBy
from raystream.operators.trial import Replayed, Tried
from raystream.operators.user_code import called


def tried_keys(step: KeyBy, user: pl.DataFrame) -> Tried:
    """Call the functions with each row.

    Args:
        step: Whose types are not known.
        user: The user's columns of some rows.
    """
    rows = to_rows(user)
    values: dict[str, list[Any]] = {}
    same: dict[str, Any] = {}
    reason = ""
    for name, function in step.key_functions().items():
        values[name], bad = called(function, rows, go_on=True)
        same[name] = Replayed(values[name], bad)
        reason = reason or (bad[0].reason if bad else "")
    found = {} if any(not made for made in values.values()) else values
    whole = step.but(computed={**step.computed, **same})
    return Tried(found, None, len(rows) if found else 0, reason, whole)
