"""Inspect: rows are looked at by a function, and passed unchanged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from raystream.context import SubtaskContext
from raystream.data.batch import Batch
from raystream.data.beyond_python import beyond_python
from raystream.data.rows import to_rows
from raystream.errors import UserCodeError
from raystream.graph.policies import ErrorPolicy
from raystream.operators.batch_formats import in_format
from raystream.operators.inspect.step import Inspect as Step
from raystream.operators.operator import Operator, Output
from raystream.operators.row_errors import RowErrors, bad_rows, places
from raystream.operators.user_code import called, user_code


class Inspect(Operator):
    """Calls the function; dicts and frames are copies, so that it cannot change the rows."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._errors = RowErrors(ErrorPolicy.FAIL)

    def open(self, ctx: SubtaskContext, output: Output) -> None:
        """Open the error policy."""
        super().open(ctx, output)
        self._errors.open(ctx, output)

    def process(self, batch: Batch, port: int = 0) -> None:
        """Emit the same rows once the function has seen them.

        Raises:
            UserCodeError: the function raised.
            DataError: a row cannot be a dict.
        """
        if self._step.batch_format is None:
            self._look_at_rows(batch)
        else:
            self._look_at(batch, self._step.batch_format)
        self.output.emit(batch)

    def _look_at(self, batch: Batch, batch_format: str) -> None:
        try:
            with user_code(self._step.function):
                self._step.function(in_format(batch.user_frame().clone(), batch_format))
        except UserCodeError as error:
            error.places = places(batch.frame)
            raise

    def _look_at_rows(self, batch: Batch) -> None:
        lost = beyond_python(batch.frame)
        if lost is not None and lost.is_not_null().any():
            number = int(lost.is_not_null().arg_true()[0])
            self._refuse(batch, number, str(lost[number]), "look at batches: batch_format='polars'")
        rows = to_rows(batch.user_frame())
        _, bad = called(self._step.function, rows, go_on=False)
        for one in bad:
            advice = "correct the function, or take this step out"
            self._refuse(batch, one.index, one.reason, advice, cause=one.cause, where=one.where)

    def _refuse(self, batch: Batch, number: int, reason: str, advice: str, **more: Any) -> None:
        (row,) = bad_rows(batch.frame[[number]], [reason])
        self._errors.reject([replace(row, advice=advice, **more)])
