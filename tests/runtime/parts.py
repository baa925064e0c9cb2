"""Parts from which runtime tests put a task together."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from typing import Any

import polars as pl

from raystream.connectors.base import ReadOptions
from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.schema import Schema
from raystream.graph.logical import Origin
from raystream.ids import ChannelId, SubtaskId
from raystream.operators.operator import Operator, StepState
from raystream.plan.physical import ExchangeKind, ExchangeSpec
from raystream.time.clock import VirtualClock

ORIGIN = Origin("job.py", 1)


class Inline(Executor):
    """Runs what is submitted at once, in this thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future


def context(subtask: SubtaskId | None = None, parallelism: int = 1) -> SubtaskContext:
    me = subtask or SubtaskId("chain", 0)
    return SubtaskContext("job", "0" * 8, 1, "step", me, parallelism, VirtualClock(), Inline())


def batch(**columns: list[Any]) -> Batch:
    return Batch(pl.DataFrame(columns))


def timed(*times: int) -> Batch:
    return Batch(pl.DataFrame({TIME: list(times)}, schema={TIME: pl.Int64}))


def channels(count: int) -> list[ChannelId]:
    return [ChannelId(0, SubtaskId("up", n), SubtaskId("down", 0)) for n in range(count)]


def exchange(kind: ExchangeKind, *keys: str, tag: str = "main") -> ExchangeSpec:
    return ExchangeSpec(0, "up", "step", tag, "down", kind, keys)


class Recorder(Operator):
    """Writes down everything it is told; `pending` holds the preparations it gave out."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.pending: deque[Future[Any]] = deque()
        self.prepares = False
        self.room = True

    def process(self, batch: Batch, port: int = 0) -> None:
        self.seen.append(("rows", len(batch)))
        self.output.emit(batch)

    def on_watermark(self, watermark: Any) -> None:
        self.seen.append(watermark)

    def has_room(self) -> bool:
        return self.room

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState:
        self.seen.append(("snapshot", checkpoint, final))
        if not self.prepares:
            return StepState(header={"n": checkpoint})
        future: Future[Any] = Future()
        self.pending.append(future)
        return StepState(prepared=future)

    def committed(self, checkpoint: int) -> None:
        self.seen.append(("committed", checkpoint))


def read_options(event_time: str | None = "ts") -> ReadOptions:
    return ReadOptions(Schema({"ts": pl.Int64(), "ip": pl.String()}), event_time)
