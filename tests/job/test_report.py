from __future__ import annotations

from typing import Any

from raystream.checkpoint.records import Checkpoint, Owner, SegmentRef, StoredState
from raystream.ids import SubtaskId
from raystream.job.cause import Cause
from raystream.job.messages import Failure
from raystream.job.report import Report
from tests.job.example import plan

READ, COUNT = SubtaskId("read", 0), SubtaskId("count", 0)
CAUSE = Cause(COUNT, Failure("died", "killed"))


def stats(rows: int, **more: Any) -> dict[str, Any]:
    return {"steps": {"read": {"rows_out": rows}}, **more}


def checkpoint(number: int, **sizes: int) -> Checkpoint:
    refs = tuple(SegmentRef(key, key, size, "") for key, size in sizes.items())
    return Checkpoint(Owner(0, "n"), number, {"count": (StoredState({}, refs),)})


def report() -> Report:
    return Report("sale", plan(2), started=100.0)


def test_rows_are_summed_over_subtasks() -> None:
    books = report()
    books.pong(READ, stats(10))
    books.pong(SubtaskId("read", 1), stats(5))
    status = books.status("running", 0, 110.0, None)
    assert status.rows_read == 15
    assert status.uptime_s == 10.0


def test_what_is_read_again_after_a_failure_is_not_counted_twice() -> None:
    books = report()
    books.pong(READ, stats(10))
    books.completed(checkpoint(1), 101.0)
    books.pong(READ, stats(17))
    books.failed(0, CAUSE, 102.0)
    books.opening()
    assert books.status("deploying", 1, 103.0, None).rows_read == 10
    books.pong(READ, stats(7))
    assert books.outcome("finished", "", 104.0).rows_in == 17
    assert books.outcome("finished", "", 104.0).restarts == 1


def test_a_checkpoint_tells_its_times_and_what_is_new_in_it() -> None:
    books = report()
    books.triggered(1, 110.0)
    books.acked(112.0)
    books.completed(checkpoint(1, a=100), 113.0)
    books.triggered(2, 120.0)
    assert books.status("running", 0, 120.0, None).checkpoint.running == 2
    books.acked(120.0)
    books.completed(checkpoint(2, a=100, b=7), 120.5)
    told = books.status("running", 0, 130.0, None).checkpoint
    assert (told.number, told.completed, told.size_bytes, told.new_bytes) == (2, 2, 107, 7)
    assert (told.duration_s, told.ack_s, told.commit_s, told.age_s) == (0.5, 0.0, 0.5, 9.5)


def test_a_checkpoint_cut_off_by_a_failure_is_counted() -> None:
    books = report()
    books.triggered(1, 110.0)
    books.failed(0, CAUSE, 111.0)
    told = books.status("failing", 0, 111.0, None)
    assert (told.checkpoint.failed, told.checkpoint.running) == (1, None)
    assert told.restarts[0].cause == "count[0] died: killed"


def test_shares_of_time_are_those_between_two_pings() -> None:
    books = report()
    books.pong(COUNT, stats(0, busy_seconds=10.0, idle_seconds=10.0))
    books.pong(COUNT, stats(0, busy_seconds=10.9, idle_seconds=10.1))
    told = {chain.name: chain for chain in books.status("running", 0, 1.0, None).chains}
    assert told["count"].busy == 0.9
    assert told["read"].busy == 0.0


def test_event_time_is_that_of_the_slowest_and_names_who_holds_it() -> None:
    books = report()
    books.pong(READ, stats(0, watermark_out=50, held_back_by="requests/0"))
    books.pong(SubtaskId("read", 1), stats(0, watermark_out=90, held_back_by="requests/1"))
    read = books.status("running", 0, 1.0, None).chains[0]
    assert (read.watermark_ms, read.held_back_by) == (50, "requests/0")
