"""Call a Process with a few rows, then its timers: their results reveal the columns."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.graph.policies import ErrorPolicy
from raystream.ids import SubtaskId
from raystream.operators.operator import Output
from raystream.operators.process.operator import Process as Operator
from raystream.operators.process.results import MAIN
from raystream.operators.process.step import Process as Step
from raystream.operators.row_errors import BadRow
from raystream.operators.rows.step import FlatMap
from raystream.operators.trial import Replayed, Tried
from raystream.time.clock import VirtualClock
from raystream.time.watermark import END_OF_TIME, Watermark


def tried_process(step: Step, user: pl.DataFrame) -> Tried:
    """Call it with each row, then fire all timers of event time.

    Args:
        step: Whose columns are not known.
        user: The user's columns of some rows.
    """
    trial = _Trial(step.but(errors=ErrorPolicy.SKIP, types=None))
    where = ("sample", "00000000", 0, "sample", SubtaskId("sample", 0), 1)
    trial.open(SubtaskContext(*where, VirtualClock(), _Nothing(), keys=step.keys), _Nowhere())
    trial.process(Batch(user.with_columns(pl.lit(0, pl.Int64()).alias(TIME))))
    trial.on_watermark(Watermark(END_OF_TIME))
    while trial.has_more():
        trial.proceed()
    trial.close()
    columns: dict[str, list[Any]] = {}
    for row in trial.made:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    results = [trial.made, *([] for _ in range(user.height - 1))]
    replayed = FlatMap(Replayed(results, []))
    return Tried(columns, None, len(trial.made), trial.reason, replayed)


class _Trial(Operator):
    """Keeps rows instead of emitting them."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.made: list[dict[str, Any]] = []
        self.reason = ""

    def _emit(self) -> None:
        self.made += self._results.rows.pop(MAIN, ([], []))[0]
        self._results.rows.clear()

    def _told(self, bad: BadRow, record: BadRow) -> BadRow:
        self.reason = self.reason or bad.reason
        return super()._told(bad, record)


class _Nowhere(Output):
    def emit(self, batch: Batch, tag: str = "") -> None:
        """Drop it."""

    def consumed(self, tag: str) -> bool:
        """Nothing is."""
        return False


class _Nothing(Executor):
    """Executor of a trial: it has nothing to wait for."""
