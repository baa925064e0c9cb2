"""Task: the order of mails, snapshots, barriers and rows, one step at a time."""

from __future__ import annotations

from typing import Any

import pytest

from raystream.checkpoint.barrier import Barrier
from raystream.ids import SubtaskId
from raystream.observe.metrics import TaskMetrics
from raystream.plan.physical import ExchangeKind
from raystream.runtime.chain import STEP_OF_ERROR, Chain, StepOutput
from raystream.runtime.channels.memory import MemoryChannel
from raystream.runtime.exchange import Exchange, Outputs
from raystream.runtime.gate import InputGate
from raystream.runtime.task import FINISHED, CheckpointComplete, Task, Waiting, Worked
from raystream.time.clock import VirtualClock
from raystream.time.watermark import Watermark
from tests.runtime.parts import Recorder, channels, context, exchange, timed

ME = SubtaskId("down", 0)


class Bench:
    """A task with one input channel, one recorder and one output channel."""

    def __init__(self, operator: Recorder | None = None) -> None:
        self.into, self.out = MemoryChannel(), MemoryChannel(credit=2)
        self.operator = operator or Recorder()
        self.reports: list[Any] = []
        metrics = TaskMetrics(["step"])
        outputs = Outputs([Exchange(exchange(ExchangeKind.FORWARD), [self.out])])
        self.operator.open(context(ME), StepOutput("step", outputs, metrics.add, None))
        head = StepOutput("", outputs, lambda step, name, n: None, ("step", self.operator))
        gate = InputGate({channels(1)[0]: self.into})
        chain = Chain([("step", self.operator)], head)
        self.task = Task(
            ME,
            gate,
            chain,
            outputs,
            clock=VirtualClock(),
            report=self.reports.append,
            metrics=metrics,
        )

    def run(self) -> Any:
        while isinstance(progress := self.task.step(), Worked):
            pass
        return progress

    def sent(self) -> list[object]:
        found = []
        while (element := self.out.poll()) is not None:
            found.append(element)
        return found


def test_rows_then_watermark_then_barrier_keep_their_order() -> None:
    bench = Bench()
    rows = timed(1, 2)
    for element in (rows, Watermark(2), Barrier(1)):
        bench.into.send(element)
    bench.run()
    assert bench.operator.seen == [("rows", 2), Watermark(2), ("snapshot", 1, False)]
    assert bench.sent() == [rows, Watermark(2), Barrier(1)]
    (snapshot,) = bench.reports
    assert (snapshot.subtask, snapshot.checkpoint) == (ME, 1)
    counted = {name: n for name, n in snapshot.counters["step"].items() if n}
    assert counted == {"rows_out": 2, "bytes_out": 16}
    assert snapshot.steps["step"].header == {"n": 1}


def test_snapshot_is_handed_in_when_prepared_and_rows_go_on_meanwhile() -> None:
    operator = Recorder()
    operator.prepares = True
    bench = Bench(operator)
    bench.into.send(Barrier(1))
    bench.into.send(timed(5))
    bench.run()
    assert bench.reports == []
    assert operator.seen[-1] == ("rows", 1)
    operator.pending[0].set_result(None)
    bench.run()
    assert [report.checkpoint for report in bench.reports] == [1]


def test_failed_preparation_fails_the_task() -> None:
    operator = Recorder()
    operator.prepares = True
    bench = Bench(operator)
    bench.into.send(Barrier(1))
    bench.run()
    operator.pending[0].set_exception(OSError("delivery failed"))
    with pytest.raises(OSError, match="delivery failed"):
        bench.run()
    assert bench.reports == []


def test_no_credit_is_back_pressure_and_barriers_still_leave() -> None:
    bench = Bench()
    for at in range(4):
        bench.into.send(timed(at))
    assert bench.run() == Waiting(None, "backpressured")
    assert len(bench.operator.seen) == 2
    bench.sent()
    bench.run()
    assert len(bench.operator.seen) == 4


def test_full_sink_is_back_pressure() -> None:
    bench = Bench()
    bench.operator.room = False
    bench.into.send(timed(1))
    assert bench.run() == Waiting(None, "backpressured")
    assert bench.operator.seen == []


def test_final_barrier_ends_the_task_once_it_is_committed() -> None:
    bench = Bench()
    bench.into.send(Barrier(1, final=True))
    assert isinstance(bench.run(), Waiting)
    bench.task.mail(CheckpointComplete(1))
    assert bench.run() == FINISHED
    assert bench.operator.seen == [("snapshot", 1, True), ("committed", 1)]


def test_a_barrier_that_overtakes_the_news_of_the_commit_before_it_brings_that_news() -> None:
    """It is sent only when the checkpoint before it is committed; the mail takes another way."""
    bench = Bench()
    for number in (1, 2, 3):
        bench.into.send(Barrier(number, final=number == 3))
    bench.run()
    for number in (1, 2, 2, 3):
        bench.task.mail(CheckpointComplete(number))
    assert bench.run() == FINISHED
    told = [seen for seen in bench.operator.seen if seen[0] == "committed"]
    assert told == [("committed", 1), ("committed", 2), ("committed", 3)]
    assert bench.operator.seen.index(told[0]) < bench.operator.seen.index(("snapshot", 2, False))
    assert bench.operator.seen.index(told[1]) < bench.operator.seen.index(("snapshot", 3, True))


def test_error_names_the_innermost_step() -> None:
    class Broken(Recorder):
        def process(self, batch: Any, port: int = 0) -> None:
            text = "boom"
            raise ValueError(text)

    bench = Bench(Broken())
    bench.into.send(timed(1))
    with pytest.raises(ValueError, match="boom") as caught:
        bench.run()
    assert getattr(caught.value, STEP_OF_ERROR) == "step"


class Slices(Recorder):
    """Gives out each watermark in three pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 0

    def on_watermark(self, watermark: Any) -> None:
        super().on_watermark(watermark)
        self.left = 3
        self.proceed()

    def has_more(self) -> bool:
        return self.left > 0

    def proceed(self) -> None:
        self.left -= 1
        self.output.emit(timed(self.left))


def test_event_time_rows_and_barriers_wait_for_what_is_given_out_in_pieces() -> None:
    bench = Bench(Slices())
    rows = timed(7)
    for element in (Watermark(2), rows, Barrier(1)):
        bench.into.send(element)
    progress = bench.run()
    assert progress == Waiting(None, "backpressured"), "two pieces are all that the channel takes"
    assert bench.operator.seen == [Watermark(2)]
    assert bench.task.metrics.watermark_out is None
    sent = bench.sent()
    bench.run()
    sent += bench.sent()
    bench.run()
    sent += bench.sent()
    assert [len(e) if hasattr(e, "frame") else e for e in sent] == [
        1, 1, 1, Watermark(2), 1, Barrier(1),
    ]  # fmt: skip
    assert bench.operator.seen == [Watermark(2), ("rows", 1), ("snapshot", 1, False)]


def test_a_step_behind_sees_event_time_when_all_pieces_are_out() -> None:
    first, second = Slices(), Slices()
    outputs = Outputs([])
    count = TaskMetrics(["a", "b"]).add
    first.open(context(ME), StepOutput("a", outputs, count, ("b", second)))
    second.open(context(ME), StepOutput("b", outputs, count, None))
    chain = Chain([("a", first), ("b", second)], StepOutput("", outputs, count, ("a", first)))
    chain.on_watermark(Watermark(5))
    assert second.seen == [("rows", 1)]
    passed = []
    while chain.has_more():
        assert not passed
        chain.proceed()
        passed += chain.passed()
    assert second.seen == [("rows", 1)] * 3 + [Watermark(5)]
    assert passed == [Watermark(5)]
