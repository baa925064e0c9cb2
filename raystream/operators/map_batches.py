"""MapBatches: a frame to a frame, by the user's function."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import IS_FINAL, TIME, Batch
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError, UserCodeError
from raystream.graph import steps
from raystream.graph.policies import ErrorPolicy
from raystream.operators.base import Operator, Output
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.row_errors import RowErrors, bad_rows, reject_raised, shown_row
from raystream.operators.user_code import Raised, defined_at, user_code


class MapBatches(Operator):
    """Calls the function with the user's columns of each batch.

    A result of as many rows as came in keeps their hidden columns, row by row. Any other number of
    rows takes the latest event time of the batch (it is known only after all of its rows).

    Where the function raises and the policy is not `fail`, it is called again for parts of the
    batch, until just the rows for which it raises are left.
    """

    def __init__(self, step: steps.MapBatches) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._columns: Mapping[str, pl.DataType] | None = None
        declared = output_schema(step, Schema({}))
        if not declared.open:
            self._columns = declared.columns

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch) -> None:
        """Emit what the function makes of the batch."""
        frame = batch.frame
        try:
            with user_code(self._step.function):
                given = _given(split_hidden(frame)[0], self._step.batch_format)
                result = self._to_polars(self._step.function(given))
        except UserCodeError as error:
            self._failed(frame, error)
            return
        self._emit(frame, result)

    def _failed(self, frame: pl.DataFrame, error: UserCodeError) -> None:
        """Find the rows for which the function raises, by halves: it is called again for parts."""
        if self._errors.policy is ErrorPolicy.FAIL:
            (first,) = bad_rows(frame.head(1), [""])
            what = f"{error.what}, in a batch of {frame.height} rows from {shown_row(first)}"
            raise UserCodeError(what, error.where, error.what_to_do) from error.__cause__
        if frame.height == 1:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            reject_raised(self._errors, frame, {0: Raised(0, error.what, error.where, cause)})
            return
        half = frame.height // 2
        self.process(Batch(frame[:half]))
        self.process(Batch(frame[half:]))

    def _emit(self, frame: pl.DataFrame, result: pl.DataFrame) -> None:
        fitted, (user, hidden) = self._fit(result), split_hidden(frame)
        if not fitted.height:
            return
        if fitted.height != user.height:
            hidden = _of_no_row(hidden, fitted.height)
        self.output.emit(Batch(join_hidden(fitted, hidden)))

    def _to_polars(self, result: Any) -> pl.DataFrame:
        if isinstance(result, pl.DataFrame):
            return result
        if self._step.batch_format == "pandas":
            return pl.from_pandas(result)
        if self._step.batch_format == "pyarrow":
            frame = pl.from_arrow(result)
            if isinstance(frame, pl.DataFrame):
                return frame
        what = f"map_batches: the function gave {type(result).__name__}, not a frame"
        raise UserCodeError(what, defined_at(self._step.function), "return a Polars DataFrame")

    def _fit(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self._columns is None:
            self._columns = frame.schema
        if list(frame.schema.items()) == list(self._columns.items()):
            return frame
        try:
            return frame.select(pl.col(n).cast(d) for n, d in self._columns.items())
        except pl.exceptions.PolarsError as error:
            what = f"map_batches: rows do not fit the schema: {str(error).splitlines()[0]}"
            raise DataError(what, defined_at(self._step.function), "declare schema=") from error


def output_schema(step: steps.MapBatches, schema: Schema) -> Schema:
    """The declared columns; open (known at the first output) if none were declared.

    Raises:
        ConfigurationError: there is no such batch format, or its library is not installed.
    """
    _check_installed(step.batch_format)
    return Schema.of(step.schema) if step.schema is not None else Schema({}, open=True)


def _of_no_row(hidden: pl.DataFrame, height: int) -> pl.DataFrame:
    """Hidden columns of rows that come from no single row: the latest time, all else null.

    Rows of one batch are all final or all not (operators/window_global.py).
    """
    common = {TIME, IS_FINAL}
    columns = [
        pl.repeat(column.max() if name in common else None, height, dtype=column.dtype, eager=True)
        for name, column in zip(hidden.columns, hidden.get_columns(), strict=True)
    ]
    return pl.DataFrame(dict(zip(hidden.columns, columns, strict=True)))


def _check_installed(batch_format: str) -> None:
    needed = {"polars": (), "pandas": ("pandas", "pyarrow"), "pyarrow": ("pyarrow",)}
    if batch_format not in needed:
        what = f"map_batches: no batch_format {batch_format!r}"
        raise ConfigurationError(what, what_to_do="write polars, pandas or pyarrow")
    missing = [name for name in needed[batch_format] if find_spec(name) is None]
    if missing:
        what = f"map_batches: batch_format={batch_format!r} needs {' and '.join(missing)}"
        raise ConfigurationError(what, what_to_do=f"pip install {' '.join(missing)}")


def _given(user: pl.DataFrame, batch_format: str) -> Any:
    if batch_format == "pandas":
        return user.to_pandas()
    return user.to_arrow() if batch_format == "pyarrow" else user
