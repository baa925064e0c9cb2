"""How the sessions of some keys changed: sessions grow, and become one."""

from __future__ import annotations

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.operators.changing.difference import Version, difference
from raystream.operators.changing.groups import numbers
from raystream.operators.row_errors import RowErrors
from raystream.operators.session.columns import REACH, START, by_of, output_columns
from raystream.operators.session.step import SessionAggregate
from raystream.operators.window.aggregates import Aggregation
from raystream.operators.window.panes import WINDOW_END, WINDOW_START


class SessionChanges:
    """Changes of sessions: a session is the same as long as its bounds are.

    Args:
        step: The step.
        aggregation: Of its state.
        errors: Handles results that do not fit; the row emitted before is deleted then.
    """

    def __init__(self, step: SessionAggregate, aggregation: Aggregation, errors: RowErrors) -> None:
        self._step = step
        self._by = [*by_of(step), START, REACH]
        self._names = [*step.keys, WINDOW_START, WINDOW_END, *step.aggregates]
        self._aggregation, self._errors = aggregation, errors

    def between(self, was: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
        """Output rows with their RowKind.

        Args:
            was: All sessions of some keys as they were emitted, with the columns of the state.
            now: The same as they are.
        """
        both = pl.concat([was.select(self._by), now.select(self._by)])
        ids = numbers(both, self._by)
        order = np.argsort(ids[was.height :], kind="stable")
        before = self._version(was, ids[: was.height], report=False)
        after = self._version(now[order], ids[was.height :][order], report=True)
        count = int(ids.max()) + 1 if len(ids) else 0
        return difference(before, after, count, [], self._names).rows

    def _version(self, sessions: pl.DataFrame, ids: np.ndarray, *, report: bool) -> Version:
        finished = self._aggregation.finish(sessions)
        rows = finished.frame.select(output_columns(self._step))
        valid = np.ones(rows.height, np.bool_)
        if finished.reasons is not None:
            valid = finished.reasons.is_null().to_numpy()
            if report:
                self._errors.without(rows, finished.reasons)
        return Version(rows, ids, valid, rows.get_column(TIME))
