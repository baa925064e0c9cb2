"""A function of two rows as a function of the frame of a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from raystream.data.beyond_python import beyond_python
from raystream.data.rows import misfit_reason, to_frame, to_rows
from raystream.data.schema import Schema
from raystream.errors import UserCodeError
from raystream.operators.rows.operator import as_row
from raystream.operators.user_code import defined_at
from raystream.operators.window.panes import WINDOW_END, WINDOW_START


class Reduced:
    """Frame -> frame of one row.

    Args:
        reducer: The user's.
        keys: Key columns of the rows.
        schema: Columns of the rows, without the key.
    """

    def __init__(
        self, reducer: Callable[[Any, Any], Any], keys: Sequence[str], schema: Schema
    ) -> None:
        self._reducer, self._keys, self._schema = reducer, keys, schema
        self.__code__ = getattr(reducer, "__code__", None)
        self.__name__ = getattr(reducer, "__name__", type(reducer).__name__)

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows in one.

        Raises:
            UserCodeError: a row does not fit, or is none.
        """
        frame = frame.drop(WINDOW_START, WINDOW_END)
        finer = beyond_python(frame)
        if finer is not None:
            raise UserCodeError(finer.drop_nulls()[0], defined_at(self._reducer))
        first, *rows = to_rows(frame)
        for row in rows:
            made = self._reducer(first, row)
            after = as_row(made)
            if after is None:
                text = f"gave {type(made).__name__}, not a dict"
                raise self._wrong(text)
            first = after
        found = {name: value for name, value in first.items() if name not in self._keys}
        reason = misfit_reason(found, self._schema)
        if reason is not None:
            text = f"gave a row that does not fit: {reason}"
            raise self._wrong(text)
        return to_frame([found], self._schema).frame

    def _wrong(self, text: str) -> UserCodeError:
        what = f"reduce: the function {text}"
        return UserCodeError(what, defined_at(self._reducer), "return a dict with the same columns")
