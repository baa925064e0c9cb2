"""A function of two rows as a function of the frame of a window, and of a part of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.data.beyond_python import beyond_python
from raystream.data.rows import to_frame, to_rows
from raystream.data.schema import Schema
from raystream.errors import RaystreamError, UserCodeError
from raystream.ids import HIDDEN
from raystream.operators.process.results import NoRow
from raystream.operators.reduce.given_row import given_row, misfit
from raystream.operators.user_code import defined_at
from raystream.operators.window.panes import WINDOW_END, WINDOW_START

_ADVICE = "return a dict with the same columns"

Reducer = Callable[[Any, Any], Any]


class Reduced:
    """Frame -> frame of one row.

    Args:
        reducer: The user's.
        keys: Key columns of the rows.
        schema: Columns of the rows, without the key.
    """

    def __init__(self, reducer: Reducer, keys: Sequence[str], schema: Schema) -> None:
        self._reducer, self._keys, self._schema = reducer, keys, schema
        self.__code__ = getattr(reducer, "__code__", None)
        self.__name__ = getattr(reducer, "__name__", type(reducer).__name__)

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows in one.

        Raises:
            UserCodeError: a row does not fit, or is none.
        """
        frame = frame.drop(WINDOW_START, WINDOW_END)
        beyond = beyond_python(frame)
        if beyond is not None:
            raise UserCodeError(beyond.drop_nulls()[0], defined_at(self._reducer))
        try:
            found = self.of_rows(to_rows(frame))
        except NoRow as error:
            raise UserCodeError(str(error), defined_at(self._reducer), _ADVICE) from None
        return to_frame([self._others(found)], self._schema).frame

    def of_rows(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The rows in one.

        Raises:
            NoRow: a row does not fit, or is none.
        """
        first, *others = rows
        for row in others:
            first = given_row(self._reducer(first, row))
        wrong = misfit(self._others(first), self._schema)
        if wrong is not None:
            raise wrong
        return first

    def first_rows(self, rows: pl.DataFrame, group: str, watermark: int) -> pl.DataFrame | None:
        """One row in the place of those of each window that event time has passed.

        A window for which the function raises, or gives other columns or another key, keeps them.

        Args:
            rows: In the order of event time.
            group: Column with the number of their window.
            watermark: No row of this time or before is expected.
        """
        rows = rows.sort(group, maintain_order=True)
        settled = (rows[TIME] <= watermark).to_numpy()
        numbers = rows[group].to_numpy()
        user = rows.select(n for n in rows.columns if not n.startswith(HIDDEN))
        user = user.drop(WINDOW_START, WINDOW_END, strict=False)
        if beyond_python(user) is not None:
            return None
        at = np.flatnonzero(settled)
        edges = np.flatnonzero(np.diff(numbers[at])) + 1
        parts = [part for part in np.split(at, edges) if len(part) > 1]
        made = [(part, row) for part in parts if (row := self._tried(user, part)) is not None]
        if not made:
            return None
        firsts = np.array([part[0] for part, _ in made])
        values = to_frame([self._others(row) for _, row in made], self._schema).frame
        types = [pl.col(name).cast(rows.schema[name]) for name in values.columns]
        one = rows[firsts].with_columns(values.select(types))
        left = np.ones(rows.height, np.bool_)
        left[np.concatenate([part for part, _ in made])] = False
        return pl.concat([one, rows.filter(pl.Series(left))])

    def _tried(self, user: pl.DataFrame, part: Any) -> dict[str, Any] | None:
        rows = to_rows(user[int(part[0]) : int(part[-1]) + 1])
        own = {key: rows[0][key] for key in self._keys}
        try:
            found = self.of_rows(rows)
        except RaystreamError:
            raise
        except Exception:  # noqa: BLE001 - it raises again, and is told, when the window closes
            return None
        same = found.keys() == user.schema.keys() and all(found[k] == own[k] for k in own)
        return found if same else None

    def _others(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in self._keys}
