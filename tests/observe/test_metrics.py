from __future__ import annotations

import json

from raystream.observe.metrics import ROW_COUNTERS, TaskMetrics


def test_each_step_counts_for_itself_and_unknown_counters_are_welcome() -> None:
    metrics = TaskMetrics(["read", "count"])
    late = metrics.counter("count")
    late("late_rows", 2)
    late("late_rows", 3)
    metrics.add("read", "rows_out", 10)
    metrics.add("read", "retries", 1)

    steps = metrics.to_dict()["steps"]
    assert steps["count"]["late_rows"] == 5
    assert steps["read"] == {**dict.fromkeys(ROW_COUNTERS, 0), "rows_out": 10, "retries": 1}


def test_time_is_told_by_kind() -> None:
    metrics = TaskMetrics(["read"])
    metrics.spent("busy", 0.5)
    metrics.spent("busy", 0.25)
    metrics.spent("backpressured", 1.0)
    told = metrics.to_dict()
    assert (told["busy_seconds"], told["backpressured_seconds"], told["idle_seconds"]) == (
        0.75,
        1,
        0,
    )


def test_it_travels_as_json_and_is_a_copy() -> None:
    metrics = TaskMetrics(["read"])
    metrics.lag = {"a/0": 7}
    metrics.watermark_in = 1000
    metrics.held_back_by = "a/0"
    before = metrics.to_dict()
    metrics.add("read", "rows_in", 1)
    assert before["steps"]["read"]["rows_in"] == 0
    assert json.loads(json.dumps(before)) == before


def test_waiting_for_the_own_sink_is_told_apart() -> None:
    metrics = TaskMetrics(["read"])
    metrics.spent("backpressured", 1.0)
    metrics.waits_for_sink = True
    metrics.spent("backpressured", 0.5)
    metrics.spent("idle", 9.0)
    told = metrics.to_dict()
    assert (told["backpressured_seconds"], told["sink_wait_seconds"]) == (1.5, 0.5)


def test_times_of_the_last_checkpoints_are_remembered() -> None:
    metrics = TaskMetrics(["read"])
    for number in range(1, 9):
        metrics.took(number, align_s=0.1, sync_s=0.2)
        metrics.took(number, flush_s=0.3, handed_in_ms=number)
    told = metrics.to_dict()["checkpoints"]
    assert list(told) == ["5", "6", "7", "8"]
    assert told["8"] == {"align_s": 0.1, "sync_s": 0.2, "flush_s": 0.3, "handed_in_ms": 8}
