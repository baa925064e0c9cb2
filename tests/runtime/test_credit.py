"""Credit: whatever a step gives out, no channel is sent beyond its window, and order is kept."""

from __future__ import annotations

import socket
import threading
import time
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.checkpoint.barrier import Barrier
from raystream.data.batch import Batch
from raystream.data.hashing import partition
from raystream.ids import ChannelId, SubtaskId
from raystream.observe.metrics import TaskMetrics
from raystream.operators.operator import Operator, StepState
from raystream.plan.physical import ExchangeKind
from raystream.runtime.chain import Chain, StepOutput
from raystream.runtime.channels.connection import IoThread
from raystream.runtime.channels.memory import MemoryChannel
from raystream.runtime.channels.outbox import Outbox
from raystream.runtime.channels.socket import SocketReader, SocketWriter
from raystream.runtime.exchange import Exchange, Outputs
from raystream.runtime.gate import InputGate
from raystream.runtime.task import Task, Worked
from raystream.time.clock import VirtualClock
from raystream.time.watermark import Idle, Watermark
from tests.runtime.parts import channels, context, exchange

TAGS = ("main", "main", "late", "errors")
"""Of each channel: two take the keys of the main output, one each the side outputs."""

MOST_PIECES = 3
PIECES = st.integers(0, MOST_PIECES)
ROWS = st.tuples(PIECES, PIECES, PIECES, st.integers(1, 400))
PROGRAM = st.lists(st.one_of(ROWS, st.just("watermark"), st.just("barrier")), max_size=12)
WINDOWS = st.tuples(*[st.sampled_from([1, 200, 3_000, 60_000])] * len(TAGS))
READS = st.lists(st.tuples(*[st.integers(0, 3)] * len(TAGS)), max_size=12)


class Generous(Operator):
    """Gives out as many batches per call as it is told, and writes down what and when."""

    def __init__(self) -> None:
        self.sent: dict[int, list[Any]] = defaultdict(list)
        self._next = 0
        self._due: float | None = None

    def process(self, batch: Batch, port: int = 0) -> None:
        [main, late, errors, rows] = batch.frame.row(0)
        for tag, pieces in (("", main), ("late", late), ("errors", errors)):
            for _ in range(pieces):
                self._give(tag, rows)
        self._due = 0.0

    def deadline(self) -> float | None:
        return self._due

    def on_time(self, now: float) -> None:
        self._due = None
        self._give("", 50)

    def on_watermark(self, watermark: Watermark | Idle) -> None:
        self._give("", 10)
        self._give("", 10)
        self._everywhere(watermark)

    def snapshot(self, checkpoint: int, *, final: bool) -> StepState | None:
        self._everywhere(Barrier(checkpoint))
        return None

    def _give(self, tag: str, rows: int) -> None:
        frame = pl.DataFrame({"n": range(self._next, self._next + rows)})
        self._next += rows
        parts = partition(frame, ["n"], 2) if not tag else [frame]
        takers = [index for index, taken in enumerate(TAGS) if taken == (tag or "main")]
        for channel, part in zip(takers, parts, strict=True):
            if part is not None:
                self.sent[channel] += part["n"].to_list()
        self.output.emit(Batch(frame), tag)

    def _everywhere(self, element: Watermark | Idle | Barrier) -> None:
        for channel in range(len(TAGS)):
            self.sent[channel].append(element)


class Bench:
    """A task that writes to four real channels of these windows."""

    def __init__(self, windows: tuple[int, ...], stack: ExitStack) -> None:
        self.woken = threading.Event()
        self.operator, self.into = Generous(), MemoryChannel(credit=1_000_000)
        io = IoThread()
        stack.callback(io.close)
        self.readers: list[SocketReader] = []
        self.got: dict[int, list[Any]] = defaultdict(list)
        writers = [self._channel(io, index, window) for index, window in enumerate(windows)]
        main, late, errors = writers[:2], writers[2:3], writers[3:]
        sides = [
            Exchange(exchange(ExchangeKind.HASH, "n"), main),
            Exchange(exchange(ExchangeKind.FORWARD, tag="late"), late),
            Exchange(exchange(ExchangeKind.FORWARD, tag="errors"), errors),
        ]
        self.outboxes: list[Outbox] = [box for side in sides for box in side._writers]
        outputs, metrics = Outputs(sides), TaskMetrics(["step"])
        self.operator.open(context(), StepOutput("step", outputs, metrics.add, None))
        head = StepOutput("", outputs, lambda step, name, n: None, ("step", self.operator))
        self.task = Task(
            SubtaskId("up", 0),
            InputGate({channels(1)[0]: self.into}),
            Chain([("step", self.operator)], head),
            outputs,
            clock=VirtualClock(),
            report=lambda report: None,
            metrics=metrics,
        )

    def _channel(self, io: IoThread, index: int, window: int) -> SocketWriter:
        mine, theirs = socket.socketpair()
        channel = ChannelId(index, SubtaskId("up", 0), SubtaskId("down", index))
        self.readers.append(SocketReader(channel, self.woken.set, window))
        self.readers[-1].attach(theirs, io)
        return SocketWriter(channel, mine, io, self.woken.set, window)

    def work(self) -> None:
        while isinstance(self.task.step(), Worked):
            assert all(len(box) <= MOST_PIECES + 1 for box in self.outboxes)

    def read(self, index: int) -> bool:
        element = self.readers[index].poll()  # ChannelBroken: it was sent beyond its window
        if isinstance(element, Batch):
            self.got[index] += element.frame["n"].to_list()
        elif element is not None:
            self.got[index].append(element)
        return element is not None


@given(PROGRAM, WINDOWS, READS)
@settings(max_examples=25, deadline=None)
def test_no_credit_is_exceeded_and_every_channel_is_in_order(
    program: list[Any], windows: tuple[int, ...], reads: list[tuple[int, ...]]
) -> None:
    with ExitStack() as stack:
        bench = Bench(windows, stack)
        barriers = 0
        for number, one in enumerate([*program, "barrier"]):
            barriers += one == "barrier"
            bench.into.send(_element(one, barriers if one == "barrier" else number))
        for turn in reads:
            bench.work()
            for index, count in enumerate(turn):
                for _ in range(count):
                    bench.read(index)
        deadline = time.monotonic() + 20
        last = Barrier(barriers)
        while any(last not in bench.got[index] for index in range(len(TAGS))):
            assert time.monotonic() < deadline
            bench.woken.clear()
            bench.work()
            if not any([bench.read(index) for index in range(len(TAGS))]):
                bench.woken.wait(0.002)
        assert bench.got == bench.operator.sent


def _element(one: Any, number: int) -> Batch | Watermark | Barrier:
    if one == "watermark":
        return Watermark(number)
    if one == "barrier":
        return Barrier(number)
    return Batch(pl.DataFrame([one], schema=["main", "late", "errors", "rows"], orient="row"))


def test_rows_that_find_no_credit_go_before_what_came_later() -> None:
    channel = MemoryChannel(credit=1)
    outbox = Outbox(channel)
    rows = [Batch(pl.DataFrame({"n": [n]})) for n in range(3)]
    for element in (*rows[:2], Watermark(1), Barrier(1), rows[2]):
        outbox.send(element)
    got = []
    while len(got) < 5:
        outbox.room()
        got.append(channel.poll())
    assert got == [rows[0], rows[1], Watermark(1), Barrier(1), rows[2]]


def test_early_results_wait_for_credit_but_a_sink_is_served() -> None:
    class Server(Generous):
        emits_on_time = False

    for kind, called in ((Generous, False), (Server, True)):
        operator, now = kind(), 1.0
        operator._due = 0.5
        seen: list[float] = []
        operator.on_time = seen.append  # type: ignore[method-assign]
        chain = Chain([("step", operator)], StepOutput("", Outputs([]), lambda *_: None, None))
        assert (chain.deadline(may_emit=False) is not None) is called
        chain.on_time(now, may_emit=False)
        assert bool(seen) is called
