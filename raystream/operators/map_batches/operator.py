"""MapBatches: a frame to a frame, by the user's function."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import HIDDEN, IS_FINAL, TIME, Batch
from raystream.data.fit import fit_columns
from raystream.errors import UserCodeError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.expressions import join_hidden, split_hidden
from raystream.operators.map_batches.columns import frame_of, output_schema
from raystream.operators.map_batches.step import MapBatches as Step
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors, bad_rows, places, reject_raised, shown_row
from raystream.operators.user_code import Raised, untyped


class MapBatches(Operator):
    """Calls the function with the user's columns of each batch.

    A result with as many rows as the input keeps their hidden columns, row by row. Otherwise rows
    take the latest event time of the batch (the result is known only after all of its rows).

    If the function raises and the policy is not `fail`, it is called again for parts of the
    batch, until only the rows for which it raises are left.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._errors = RowErrors(step.errors)
        self._columns: Mapping[str, pl.DataType] | None = None
        declared = output_schema(step)
        if not declared.open:
            self._columns = declared.columns

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the function's result for the batch."""
        frame = batch.frame
        try:
            result = frame_of(self._step, split_hidden(frame)[0])
        except UserCodeError as error:
            self._failed(frame, error)
            return
        self._emit(frame, result)

    def _failed(self, frame: pl.DataFrame, error: UserCodeError) -> None:
        """Find the rows for which the function raises by bisection; calls it again for parts."""
        if self._errors.policy is ErrorPolicy.FAIL:
            (first,) = bad_rows(frame.head(1), [""])
            shown = shown_row(first)
            what = f"{error.what}, in a batch of {frame.height} rows from {shown}"
            told = UserCodeError(what, error.where, error.what_to_do)
            told.places, told.record = places(frame), shown
            raise told from error.__cause__
        if frame.height == 1:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            reject_raised(self._errors, frame, {0: Raised(0, error.what, error.where, cause)})
            return
        half = frame.height // 2
        self.process(Batch(frame[:half]))
        self.process(Batch(frame[half:]))

    def _emit(self, frame: pl.DataFrame, result: pl.DataFrame) -> None:
        hidden = split_hidden(frame)[1]
        if result.height != frame.height:
            hidden = _of_no_row(hidden, result.height)
        whole = self._fit(join_hidden(result, hidden), result)
        if whole.height:
            self.output.emit(Batch(whole))

    def _fit(self, whole: pl.DataFrame, result: pl.DataFrame) -> pl.DataFrame:
        """Cast the rows to the types of the columns; the policy handles rows that would change."""
        if self._columns is None:
            raise untyped(self.ctx.step, self.ctx.origin)
        if list(result.schema.items()) == list(self._columns.items()):
            return whole
        fitted = fit_columns(result, self._columns)
        hidden = split_hidden(whole)[1]
        if fitted.reasons.null_count() == whole.height:
            return join_hidden(fitted.frame, hidden)
        good = self._errors.without(whole.with_columns(_number(whole)), fitted.reasons)
        kept = good[_NUMBER]
        return join_hidden(fitted.frame[kept], hidden[kept])


_NUMBER = f"{HIDDEN}number"


def _number(frame: pl.DataFrame) -> pl.Series:
    return pl.int_range(frame.height, eager=True).alias(_NUMBER)


def _of_no_row(hidden: pl.DataFrame, height: int) -> pl.DataFrame:
    """Hidden columns of rows that come from no single row: the latest time, everything else null.

    Rows of one batch are all final or all not (operators/window/operator.py).
    """
    common = {TIME, IS_FINAL}
    columns = [
        pl.repeat(column.max() if name in common else None, height, dtype=column.dtype, eager=True)
        for name, column in zip(hidden.columns, hidden.get_columns(), strict=True)
    ]
    return pl.DataFrame(dict(zip(hidden.columns, columns, strict=True)))
