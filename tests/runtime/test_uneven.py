"""Subtasks of different event time are merged: each key and window comes once, and none is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

import raystream as rs
from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.hashing import partition
from raystream.ids import SubtaskId
from raystream.operators.operator import Operator, Restored, StepState, create
from raystream.runtime.chain import Chain, StepOutput
from raystream.runtime.exchange import Outputs
from raystream.time.clock import VirtualClock
from raystream.time.watermark import END_OF_TIME, Watermark
from tests.steps import WindowAggregate, WindowGlobal

KEYS = [f"k{number}" for number in range(12)]
TIMES = range(0, 120, 3)


class Kept:
    """An output that keeps what it gets."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def emit(self, batch: Batch, tag: str = "") -> None:
        assert not tag
        self.rows += batch.user_frame().to_dicts()

    def consumed(self, tag: str) -> bool:
        return False


def opened(step: Any, output: Kept, index: int, width: int, attempt: int) -> Operator:
    me = SubtaskId("window", index)
    pool = ThreadPoolExecutor(1)
    ctx = SubtaskContext("job", "0" * 8, attempt, "window", me, width, VirtualClock(), pool)
    operator = create(step)
    operator.open(ctx, output)  # type: ignore[arg-type]
    return operator


def merged(step: Any, states: Sequence[StepState], output: Kept) -> Chain:
    """One subtask that takes over from all."""
    new = opened(step, output, 0, 1, 2)
    head = StepOutput("", Outputs([]), lambda *_: None, ("window", new))
    chain = Chain([("window", new)], head, lambda _: opened(step, output, 0, 1, 2))
    chain.restore({"window": Restored(states, redistribute=True)})
    return chain


@pytest.mark.parametrize("window", [rs.tumbling("10ms"), rs.hopping("30ms", "10ms")])
def test_no_window_is_lost_and_none_comes_twice(window: Any) -> None:
    asked = WindowAggregate(("k",), window, {"n": rs.count()})
    step, output = WindowGlobal(asked, pre_aggregated=False), Kept()
    frame = pl.DataFrame([{"k": key, TIME: at} for at in TIMES for key in KEYS])
    old = [opened(step, output, index, 2, 1) for index in range(2)]
    for operator, share in zip(old, partition(frame, ["k"], 2), strict=True):
        assert share is not None
        operator.process(Batch(share))
    for operator, time in zip(old, (40, 70), strict=True):
        operator.on_watermark(Watermark(time))
        while operator.has_more():
            operator.proceed()
    states = [operator.snapshot(1, final=False) for operator in old]
    chain = merged(step, [state for state in states if state is not None], output)
    assert chain.has_more()
    chain.proceed()
    assert {row["window_start"] for row in output.rows if row["k"] == KEYS[0]} >= {0, 40}
    chain.on_watermark(Watermark(END_OF_TIME))
    while chain.has_more():
        chain.proceed()
    found = Counter((row["k"], row["window_start"]) for row in output.rows)
    each = window.size_ms // getattr(window, "slide_ms", window.size_ms)
    assert set(found.values()) == {1}
    assert sum(row["n"] for row in output.rows) == len(TIMES) * len(KEYS) * each


def test_states_of_one_event_time_are_restored_at_once() -> None:
    asked = WindowAggregate(("k",), rs.tumbling("10ms"), {"n": rs.count()})
    step = WindowGlobal(asked, pre_aggregated=False)
    states = []
    for index in range(2):
        operator = opened(step, Kept(), index, 2, 1)
        operator.on_watermark(Watermark(40))
        states.append(operator.snapshot(1, final=False) or StepState())
    assert not merged(step, states, Kept()).has_more()
