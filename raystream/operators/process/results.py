"""Rows that the user's class returned, as batches of the main and the side outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from raystream.data.batch import TIME, Batch
from raystream.data.rows import misfit_reason, to_frame
from raystream.data.schema import Schema
from raystream.operators.operator import Output
from raystream.operators.row_errors import BadRow, RowErrors
from raystream.operators.rows.operator import as_row

MAIN = ""
Row = dict[str, Any]


class NoRow(TypeError):
    """What a method returned is no row, or does not fit its columns."""


class Results:
    """Rows and their event times, by tag, until they are emitted.

    Args:
        schemas: Columns by tag; `MAIN` may be missing: it is not known.
        errors: The policy for rows that do not fit.
        where: Of the user's method, for messages.
    """

    def __init__(self, schemas: Mapping[str, Schema], errors: RowErrors, where: str) -> None:
        self._schemas, self._errors, self._where = schemas, errors, where
        self.rows: dict[str, tuple[list[Row], list[int]]] = {}

    def add(self, tag: str, rows: list[Row], time: int) -> None:
        """Add rows of one event time."""
        kept = self.rows.get(tag)
        if kept is None:
            kept = self.rows[tag] = ([], [])
        kept[0].extend(rows)
        kept[1].extend([time] * len(rows))

    def check(self, tag: str, rows: list[Row]) -> None:
        """Raise for the first row that does not fit.

        Raises:
            NoRow: with the reason.
        """
        for row in rows:
            reason = misfit_reason(row, self._schemas[tag]) if tag in self._schemas else None
            if reason is not None:
                raise NoRow(self._reason(tag, reason))

    def emit(self, output: Output) -> None:
        """Emit everything.

        Raises:
            DataError: a row does not fit.
        """
        taken, self.rows = self.rows, {}
        for tag, (rows, times) in taken.items():
            fitted = to_frame(rows, self._schemas[tag])
            for misfit in fitted.misfits:
                columns = self._schemas[tag].columns.items()
                advice = f"columns are {', '.join(f'{n} {d}' for n, d in columns)}; declare others"
                reason = self._reason(tag, misfit.reason)
                bad = BadRow(rows[misfit.index], reason, where=self._where, advice=advice)
                self._errors.reject([bad])
            time = pl.Series(TIME, times, pl.Int64())
            output.emit(Batch(fitted.frame.with_columns(time)), tag)

    def _reason(self, tag: str, reason: str) -> str:
        side = f" of the side output {tag!r}" if tag else ""
        return f"a row{side} that the process gave does not fit: {reason}"


def rows_of(made: Any) -> list[Row]:
    """The rows that a method returned or yields; copied, as it may yield the same dict again.

    Raises:
        NoRow: it is none.
        Exception: whatever a generator of the user raises.

    >>> rows_of(None), rows_of({"n": 1}), rows_of(iter([{"n": 1}, {"n": 2}]))
    ([], [{'n': 1}], [{'n': 1}, {'n': 2}])
    """
    if made is None:
        return []
    if type(made) is dict:
        return [made.copy()]
    single = as_row(made)
    if single is not None:
        return [single]
    try:
        items = iter(made)
    except TypeError:
        raise NoRow(_no_row(made)) from None
    return [item.copy() if type(item) is dict else _row(item) for item in items]


def _row(item: Any) -> Row:
    row = as_row(item)
    if row is None:
        raise NoRow(_no_row(item))
    return row


def _no_row(given: Any) -> str:
    return f"the process gave {type(given).__name__}, not a dict"
