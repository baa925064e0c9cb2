"""What a function of two rows gave, as a row; everywhere with the same words."""

from __future__ import annotations

from typing import Any

from raystream.data.rows import misfit_reason
from raystream.data.schema import Schema
from raystream.operators.process.results import NoRow
from raystream.operators.rows.operator import as_row


def given_row(made: Any) -> dict[str, Any]:
    """The row that a function gave.

    Raises:
        NoRow: it is none.

    >>> given_row({"n": 1})
    {'n': 1}
    """
    row = as_row(made)
    if row is None:
        what = f"reduce: the function gave {type(made).__name__}, not a dict"
        raise NoRow(what)
    return row


def misfit(row: dict[str, Any], schema: Schema, otherwise: str = "") -> NoRow | None:
    """Why a row does not fit; None if it does.

    Args:
        row: The row.
        schema: Its columns.
        otherwise: What is known of it, if that is not seen here.

    >>> misfit({"n": "x"}, Schema.of({"n": "int"}))
    NoRow("reduce: the function gave a row that does not fit: column 'n': 'x' is not Int64")
    """
    reason = misfit_reason(row, schema) or otherwise
    if not reason:
        return None
    return NoRow(f"reduce: the function gave a row that does not fit: {reason}")
