"""What stands between a window and its output: the function, over the rows of each window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from raystream.data.batch import ORDER, TIME, Batch
from raystream.data.fit import fit_columns
from raystream.errors import UserCodeError
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import ALL
from raystream.operators.operator import Output
from raystream.operators.row_errors import RowErrors, reject_raised
from raystream.operators.tables import StateTable
from raystream.operators.user_code import Raised, defined_at, untyped, user_code
from raystream.operators.window.panes import WINDOW_END, WINDOW_START
from raystream.operators.window_apply.columns import ARRIVAL
from raystream.operators.window_apply.ended import Ended
from raystream.operators.window_apply.step import WindowApply
from raystream.state.time_table import TimeTable

WINDOWS = 1000
"""Windows whose rows are looked up at once."""

_WINDOW = f"{HIDDEN}window"
_BOUNDS = (WINDOW_START, WINDOW_END)


class Applied:
    """Takes key and bounds of closed windows, emits what the function makes of their rows.

    Args:
        step: The step.
        rows: Those that are kept.
        errors: Handles windows that the function raises for, with all their rows.
        output: Takes the results; side outputs pass.
        ended: Sessions that are over, whose rows are no others'; None: windows are no sessions.
    """

    def __init__(
        self,
        step: WindowApply,
        rows: StateTable[TimeTable],
        errors: RowErrors,
        output: Output,
        ended: Ended | None = None,
    ) -> None:
        self._ended = ended
        self._step, self._rows, self._errors, self._output = step, rows, errors, output
        self._function: Callable[[Any], Any] | None = None
        self._columns: Mapping[str, pl.DataType] = {}

    def consumed(self, tag: str) -> bool:
        """Whether a side output has a consumer."""
        return self._output.consumed(tag)

    def emit(self, batch: Batch, tag: str = "") -> None:
        """Apply the function to windows; pass everything else."""
        if tag:
            self._output.emit(batch, tag)
            return
        for part in batch.frame.iter_slices(WINDOWS):
            made = self._of_windows(part)
            if made.height:
                self._output.emit(Batch(made))

    def _of_windows(self, windows: pl.DataFrame) -> pl.DataFrame:
        self._look_at_columns()
        table = self._rows.table
        assert table is not None, "windows have rows"
        keys = windows.with_columns(pl.lit(0, pl.Int8()).alias(ALL))
        start, end = (windows.get_column(name).to_numpy() for name in _BOUNDS)
        who, rows = table.fetch(keys, start, end - 1)
        left = None if self._ended is None else self._ended.without(keys, who, rows)
        if left is not None:
            who, rows = who[left], rows.filter(pl.Series(left))
        place = [ORDER] if ORDER in rows.columns else []
        rows = rows.with_columns(pl.Series(_WINDOW, who, pl.Int64()))
        rows = rows.sort(_WINDOW, TIME, *place, ARRIVAL)
        made: pl.DataFrame | None = self._step.of_windows(rows, _WINDOW)
        if made is not None:
            own = windows[made.get_column(_WINDOW)]
            made = made.select(self._columns.keys())
            return self._beside(own, made)
        ends = np.cumsum(np.bincount(who, minlength=windows.height)).tolist()
        parts = [
            self._of_window(windows[number : number + 1], rows[first:last])
            for number, (first, last) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
        ]
        return pl.concat([part for part in parts if part is not None] or [self._nothing(windows)])

    def _look_at_columns(self) -> None:
        if self._function is not None:
            return
        step = self._step
        if step.returns is None and step.columns is None:
            raise untyped(step.words(), "")
        self._function = step.applied()
        self._columns = step.returned(step.columns).columns

    def _of_window(self, window: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame | None:
        """Rows of the output; None: the function raised."""
        user = rows.select(name for name in rows.columns if not name.startswith(HIDDEN))
        bounds = [pl.lit(window.item(0, name), pl.Int64()).alias(name) for name in _BOUNDS]
        try:
            made = self._called(user.with_columns(bounds))
        except UserCodeError as error:
            cause = error.__cause__ or error
            told = {n: Raised(n, error.what, error.where, cause) for n in range(rows.height)}
            reject_raised(self._errors, rows, told)
            return None
        own = window[np.zeros(made.height, np.int64)]
        if list(made.schema.items()) != list(self._columns.items()):
            fitted = fit_columns(made, self._columns)
            made = self._errors.without(fitted.frame, fitted.reasons)
            own = own.filter(fitted.reasons.is_null())
        return self._beside(own, made)

    def _beside(self, windows: pl.DataFrame, made: pl.DataFrame) -> pl.DataFrame:
        return windows.drop(TIME).hstack(made).with_columns(windows.get_column(TIME))

    def _called(self, user: pl.DataFrame) -> pl.DataFrame:
        function = self._function
        assert function is not None
        with user_code(function):
            made = function(user)
        if not isinstance(made, pl.DataFrame):
            what = f"apply: the function gave {type(made).__name__}, not a frame"
            raise UserCodeError(what, defined_at(function), "return a Polars DataFrame")
        return made

    def _nothing(self, windows: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(schema={**windows.drop(TIME).schema, **self._columns, TIME: pl.Int64()})
