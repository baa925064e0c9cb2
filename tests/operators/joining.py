"""The subtasks of a join, driven by hand, and its meaning in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.changes import CHANGE, Changes
from raystream.data.hashing import partition
from raystream.data.schema import Schema
from raystream.ids import SubtaskId
from raystream.operators.joins.kinds import JoinKind
from raystream.operators.operator import Operator, Restored, StepState, create
from raystream.time.clock import VirtualClock
from raystream.time.watermark import END_OF_TIME, Watermark

LEFT = {"k": pl.Int64(), "a": pl.Int64(), "end": pl.Int64()}
RIGHT = {"j": pl.Int32(), "b": pl.Int64()}
ON = (("k", "j"),)

Row = tuple[Any, ...]
"""Left: key, number, bound, time. Right: key, number, time."""


class Kept:
    """An output that keeps what it gets, and notes rows that are late behind it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.late: list[Row] = []
        self.watermark = -(2**62)
        self.checks = True

    def emit(self, batch: Batch, tag: str = "") -> None:
        if tag == "late":
            self.late += batch.frame.rows()
            return
        assert not self.checks or batch.frame[TIME].min() >= self.watermark  # type: ignore[operator]
        self.rows += batch.frame.rows()

    def consumed(self, tag: str) -> bool:
        return True


class Subtasks:
    """All subtasks of one join."""

    def __init__(
        self, step: Any, width: int, changes: Sequence[Changes | None] = (None, None)
    ) -> None:
        inputs = zip((LEFT, RIGHT), changes, strict=True)
        self.changes = changes
        self.step = step.resolved([Schema(columns, changes=by) for columns, by in inputs])
        self.width, self.attempt, self.counted = width, 0, 0
        self.output = Kept()
        self.operators = [self.opened(index) for index in range(width)]

    def opened(self, index: int) -> Operator:
        where = ("job", "0" * 8, self.attempt, "join", SubtaskId("join", index), self.width)
        ctx = SubtaskContext(*where, VirtualClock(), Executor(), count=self.count)
        operator = create(self.step)
        operator.open(ctx, self.output)
        return operator

    def count(self, name: str, number: int) -> None:
        assert name == "late_rows"
        self.counted += number

    def process(self, port: int, rows: Sequence[Row]) -> None:
        """Rows of a changing input have their kind behind the time."""
        columns = RIGHT if port else LEFT
        kind = {CHANGE: pl.Int8()} if self.changes[port] else {}
        frame = pl.DataFrame(rows, schema={**columns, TIME: pl.Int64(), **kind}, orient="row")
        keys = [self.step.on[0][port]]
        for operator, share in zip(self.operators, partition(frame, keys, self.width), strict=True):
            if share is not None:
                operator.process(Batch(share), port)
                self.finish(operator)

    def watermark(self, time: int) -> None:
        handed = []
        for operator in self.operators:
            operator.on_watermark(Watermark(time))
            news = operator.hands_on(Watermark(time))
            self.finish(operator)
            if isinstance(news, Watermark):
                handed.append(news.time)
        if handed:
            self.output.watermark = max(self.output.watermark, min(handed))

    def finish(self, operator: Operator) -> None:
        while operator.has_more():
            operator.proceed()

    def end(self) -> None:
        self.watermark(END_OF_TIME)

    def restart(self, width: int) -> None:
        states = [one.snapshot(1, final=False) or StepState() for one in self.operators]
        same = width == self.width
        self.attempt, self.width = self.attempt + 1, width
        self.operators = [self.opened(index) for index in range(width)]
        for index, operator in enumerate(self.operators):
            mine = [states[index]] if same else states
            operator.restore(Restored(mine, redistribute=not same))


class Model:
    """A join of rows that arrive one by one, in plain Python.

    Args:
        kind: Which rows it gives.
        bounds: Left row -> first and last time of its partners; None: it has none.
        until: Port and row -> when it is over.
    """

    def __init__(
        self,
        kind: JoinKind,
        bounds: Callable[[Row], tuple[int, int] | None],
        until: Callable[[int, Row], int],
    ) -> None:
        self.kind, self.bounds, self.until = kind, bounds, until
        self.kept: tuple[list[list[Any]], list[list[Any]]] = ([], [])
        self.rows: list[Row] = []
        self.late = 0
        self.now = -(2**62)

    def process(self, port: int, rows: Sequence[Row]) -> None:
        for row in rows:
            if self.until(port, row) < self.now:
                self.late += 1
            elif row[0] is None or (port == 0 and self.bounds(row) is None):
                self.alone(port, row)
            else:
                self.add(port, row)

    def add(self, port: int, row: Row) -> None:
        partners = [other for other in self.kept[1 - port] if self.meet(port, row, other[0])]
        for other in partners:
            self.pair(port, row, other[0])
            if self.kind is JoinKind.SEMI and port == 1 and not other[1]:
                self.give(other[0], None)
            other[1] = True
        if self.kind is JoinKind.SEMI and port == 0 and partners:
            self.give(row, None)
        self.kept[port].append([row, bool(partners)])

    def meet(self, port: int, row: Row, other: Row) -> bool:
        left, right = (other, row) if port else (row, other)
        low, high = self.bounds(left) or (1, 0)
        return left[0] == right[0] and low <= right[-1] <= high

    def pair(self, port: int, row: Row, other: Row) -> None:
        if self.kind.pairs:
            self.give(*((other, row) if port else (row, other)))

    def alone(self, port: int, row: Row) -> None:
        if self.kind.unmatched(port):
            self.give(*((None, row) if port else (row, None)))

    def give(self, left: Row | None, right: Row | None) -> None:
        time = max(row[-1] for row in (left, right) if row is not None)
        mine = left[:-1] if left else (None,) * len(LEFT)
        theirs = right[:-1] if right else (None,) * len(RIGHT)
        self.rows.append((*mine, *(theirs if self.kind.pairs else ()), time))

    def watermark(self, time: int) -> None:
        self.now = max(self.now, time)
        self.expire(lambda port, row: self.until(port, row) < self.now)

    def expire(self, over: Callable[[int, Row], bool]) -> None:
        for port, kept in enumerate(self.kept):
            for row, hit in kept:
                if over(port, row) and not hit:
                    self.alone(port, row)
            kept[:] = [one for one in kept if not over(port, one[0])]

    def end(self) -> None:
        self.expire(lambda port, row: True)
