"""A process with every kind of state, and its subtasks without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
from hypothesis import strategies as st

import raystream as rs
from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.hashing import partition
from raystream.ids import SubtaskId
from raystream.operators.operator import Restored, StepState
from raystream.operators.process.operator import Process
from raystream.time.clock import VirtualClock
from raystream.time.watermark import Watermark
from tests import steps

POOL = ThreadPoolExecutor(1)
OUT = {"k": "string", "n": "int", "items": "string", "at": "int"}


class Machine(rs.Process):
    """Does what a row says, and shows its states."""

    n: rs.Value[int]
    short: rs.Value[float] = rs.state(ttl="5ms")
    items: rs.List[int]
    recent: rs.List[str] = rs.state(ttl="4ms")
    seen: rs.Map[str, int]
    fresh: rs.Map[int, list[int]] = rs.state(ttl="6ms")

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> Iterator[dict[str, Any]]:
        x = row["x"]
        match row["do"]:
            case 0:
                self.n.set((self.n.get() or 0) + x)
                self.short.set(x / 2)
            case 1:
                self.n.clear()
                self.items.set([])
            case 2:
                self.items.append(x)
                self.recent.extend(["a", str(x)])
            case 3:
                self.items.set(self.items.get()[-2:])
                self.recent.clear()
            case 4:
                self.seen[str(x % 3)] = self.seen.get(str(x % 3), 0) + 1
                self.fresh[x % 2] = [*self.fresh.get(x % 2, []), x]
            case 5:
                self.seen.pop(str(x % 3), None)
                self.fresh.pop(x % 2, None)
            case 6:
                ctx.timer(ctx.time + x)
            case 7:
                ctx.delete_timer(ctx.time + x)
            case 8:
                self.n.set(-1)
                self.items.append(-1)
                self.seen["bad"] = 1
                ctx.timer(ctx.time + 1)
                ctx.emit("side", {"x": -1})
                yield {"k": "bad"}
                raise ValueError("a bad row")
            case 9:
                ctx.emit("side", {"x": x})
        yield self.shown(ctx, None)

    def on_timer(self, at: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        yield self.shown(ctx, at)
        self.n.set(self.n.get(0) + 100)
        if at % 5 == 0:
            ctx.timer(at + 3)
        if at % 4 == 0:
            ctx.delete_timer(at + 1)
        if at % 7 == 0:
            raise ValueError("a bad timer")

    def shown(self, ctx: rs.Context, at: int | None) -> dict[str, Any]:
        states = (
            self.short.get(),
            self.items.get(),
            list(self.recent),
            len(self.recent),
            sorted(self.seen.items()),
            sorted(self.fresh.items()),
            ctx.late,
        )
        return {"k": ctx.key, "n": self.n.get(), "items": repr(states), "at": at}


class Total(rs.Process):
    totals: rs.Map[int, int]

    def on_row(self, row: dict[str, Any], ctx: rs.Context) -> None:
        until = row["ts"] // 100 * 100 + 99
        self.totals[until] = self.totals.get(until, 0) + row["n"]
        ctx.timer(until)

    def on_timer(self, at: int, ctx: rs.Context) -> Iterator[dict[str, Any]]:
        yield {"shop": ctx.key, "until": at, "total": self.totals.pop(at)}


class Kept:
    """An output that keeps what it gets."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, dict[str, Any], int]] = []

    def emit(self, batch: Batch, tag: str = "") -> None:
        for row in batch.frame.to_dicts():
            self.rows.append((tag, row, row.pop(TIME, 0)))

    def consumed(self, tag: str) -> bool:
        return True


class Subtasks:
    """All subtasks of a step, and what they gave."""

    def __init__(self, step: steps.Process, width: int) -> None:
        self.step, self.width, self.attempt = step, width, 0
        self.output, self.clock = Kept(), VirtualClock()
        self.operators = [self.opened(index) for index in range(width)]

    def opened(self, index: int) -> Process:
        return self.opened_as(Process, index)

    def opened_as(self, kind: type[Process], index: int) -> Process:
        me = SubtaskId("process", index)
        where = ("job", "0" * 8, self.attempt, "process", me, self.width)
        operator = kind(self.step)
        operator.open(SubtaskContext(*where, self.clock, POOL), self.output)
        return operator

    def process(self, frame: pl.DataFrame) -> None:
        shares = partition(frame, list(self.step.keys), self.width)
        for operator, share in zip(self.operators, shares, strict=True):
            if share is not None:
                operator.process(Batch(share))

    def watermark(self, time: int) -> None:
        for operator in self.operators:
            operator.on_watermark(Watermark(time))
            while operator.has_more():
                operator.proceed()

    def snapshots(self) -> list[StepState]:
        return [one.snapshot(1, final=False) or StepState() for one in self.operators]

    def restart(self, width: int, step: steps.Process | None = None) -> None:
        states, same = self.snapshots(), width == self.width
        self.step = step or self.step
        self.attempt, self.width = self.attempt + 1, width
        self.operators = [self.opened(index) for index in range(width)]
        for index, operator in enumerate(self.operators):
            mine = [states[index]] if same else states
            operator.restore(Restored(mine, redistribute=not same))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for operator in self.operators:
            due = operator.deadline()
            if due is not None and due <= self.clock.now():
                operator.on_time(self.clock.now())
            while operator.has_more():
                operator.proceed()


SCHEMA = {"k": pl.String(), "do": pl.Int64(), "x": pl.Int64(), TIME: pl.Int64()}
ROW = st.tuples(
    st.sampled_from(["a", "b", "c", None]),
    st.integers(0, 9),
    st.integers(-8, 8),
    st.integers(0, 40),
)
BATCH = st.tuples(
    st.lists(ROW, max_size=8), st.sampled_from([0, 0, 1, 2, 3]), st.sampled_from([0, 0, 3, 9])
)


def rows_of(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")
