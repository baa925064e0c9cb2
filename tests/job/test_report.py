from __future__ import annotations

from dataclasses import replace
from typing import Any

from raystream.checkpoint.records import Checkpoint, Owner, Restore, SegmentRef, StoredState
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
    books.recovered(1, checkpoint(1), {"read": {"rows_out": 12}})  # between two pings
    assert books.status("deploying", 1, 103.0, None).rows_read == 12
    books.opening()
    books.pong(READ, stats(5))
    assert books.outcome("finished", "", 104.0).rows_in == 17
    assert books.outcome("finished", "", 104.0).restarts == 1


def test_transactions_that_a_failed_attempt_left_are_aborted_the_others_committed() -> None:
    def told(number: int) -> dict[str, Any]:
        return {"steps": {"write": {"transactions": number}}}

    def counted(number: int) -> tuple[int, int]:
        status = books.status("running", number, 110.0, None)
        return status.transactions_committed, status.transactions_aborted

    books = report()
    books.pong(COUNT, told(3))
    books.completed(replace(checkpoint(1), job={"counters": told(2)["steps"]}), 101.0)
    assert counted(1) == (2, 0)
    books.failed(0, CAUSE, 102.0)
    books.recovered(2, checkpoint(2), told(2)["steps"])
    assert counted(2) == (2, 1)
    books.pong(COUNT, told(2))
    books.failed(1, CAUSE, 103.0)  # the recovery commits what the attempt had prepared
    books.recovered(3, checkpoint(3), told(4)["steps"])
    assert counted(3) == (4, 1)


def test_the_last_checkpoint_knows_what_no_ping_told_any_more() -> None:
    books = report()
    books.pong(READ, stats(10))
    counted = {"counters": {"read": {"rows_out": 25}}}
    books.completed(replace(checkpoint(1), final=True, job=counted), 101.0)
    assert books.outcome("finished", "", 104.0).rows_in == 25
    books.pong(READ, stats(25))
    assert books.outcome("finished", "", 104.0).rows_in == 25


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


def test_rows_that_a_step_left_out_are_told_with_the_newest_samples() -> None:
    books = report()
    sample = {"step": "count", "kind": "late_rows", "at_ms": 1, "row": "{}", "reason": "late"}
    for at in range(9):
        late = {"count": {"late_rows": at}}
        books.pong(COUNT, {"steps": late, "samples": [{**sample, "at_ms": at}]})
    step = next(s for s in books.status("running", 0, 1.0, None).steps if s.name == "count")
    assert (step.late_rows, step.verb) == (8, "drop")
    assert [each.at_ms for each in step.samples] == [4, 5, 6, 7, 8]
    books.opening()  # samples outlive an attempt
    step = next(s for s in books.status("deploying", 1, 2.0, None).steps if s.name == "count")
    assert len(step.samples) == 5


def test_each_split_is_told_and_who_holds_event_time_back() -> None:
    books = report()

    def split(name: str, mark: int | None, **more: Any) -> dict[str, Any]:
        return {"split": name, "watermark_ms": mark, "position": 7, "behind_seconds": 9.0, **more}

    first = [split("r/10", 500), split("r/2", 900, quiet_seconds=3.0)]
    books.pong(READ, stats(0, splits=first, lag={"r/10": 5, "r/2": 0}))
    idle = split("r/3", 1, idle=True, quiet_seconds=60.0)
    books.pong(SubtaskId("read", 1), stats(0, splits=[idle]))
    told = books.status("running", 0, 1.0, None).splits
    assert [(s.split, s.subtask, s.holds_back, s.idle) for s in told] == [
        ("r/2", 0, False, False),
        ("r/3", 1, False, True),
        ("r/10", 0, True, False),
    ]
    assert [(s.lag_rows, s.lag_seconds) for s in told] == [(0, 0.0), (None, 0.0), (5, 9.0)]


def test_a_split_that_has_not_spoken_holds_back_before_the_lowest() -> None:
    books = report()
    splits = [{"split": "r/0", "watermark_ms": 5}, {"split": "r/1", "watermark_ms": None}]
    books.pong(READ, stats(0, splits=splits))
    told = books.status("running", 0, 1.0, None).splits
    assert [s.holds_back for s in told] == [False, True]


def test_open_transactions_are_told_oldest_first() -> None:
    books = report()
    young = {"name": "a", "step": "write", "subtask": 0, "rows": 1, "age_s": 1.0, "limit_s": 900}
    books.pong(COUNT, stats(0, transactions=[young, {**young, "name": "b", "age_s": 7.0}]))
    told = books.status("running", 0, 1.0, None)
    assert [each.name for each in told.transactions] == ["b", "a"]


def test_after_the_end_no_transaction_is_open() -> None:
    books = report()
    one = {"name": "a", "step": "write", "subtask": 0, "rows": 1, "age_s": 1.0, "limit_s": 900}
    books.pong(COUNT, stats(0, transactions=[one], open_transactions=1))
    told = books.status("ended", 0, 1.0, "stopped")
    assert (told.transactions, told.open_transactions, told.state) == ((), 0, "ended")


def test_shares_and_skew_are_told_per_subtask() -> None:
    books = report()
    for index, (rows, busy) in enumerate(((9000, 0.9), (3000, 0.3))):
        subtask = SubtaskId("count", index)
        rest = {"idle_seconds": 1 - busy, "steps": {"count": {"rows_in": rows}}}
        books.pong(subtask, {"busy_seconds": 0.0})
        books.pong(subtask, {"busy_seconds": busy, "state_bytes": 5, "state_disk_bytes": 7, **rest})
    chain = books.status("running", 0, 1.0, None).chains[1]
    assert [(each.busy, each.rows) for each in chain.subtasks] == [(0.9, 9000), (0.3, 3000)]
    assert (chain.skew, chain.state_bytes, chain.state_disk_bytes) == (1.5, 10, 14)


def test_a_restart_tells_its_story_and_how_long_the_job_was_down() -> None:
    books = report()
    books.began(1_000_000)
    failure = Failure("user", "KeyError: 'ip'", "job.py:7", ("step count", "KeyError: 'ip'"))
    books.failed(3, Cause(COUNT, failure), 110.0)
    assert books.status("failing", 3, 111.0, None).restarts[0].downtime_s is None
    books.running(112.5)
    (restart,) = books.status("running", 4, 113.0, None).restarts
    assert (restart.attempt, restart.at_s, restart.at_ms, restart.downtime_s) == (
        3,
        10.0,
        1_010_000,
        2.5,
    )
    assert restart.lines[-1] == "at job.py:7"


def test_where_the_run_came_from_is_that_of_its_first_recovery() -> None:
    books = report()
    books.recovered(0)
    assert books.status("deploying", 0, 100.0, None).came_from == "nothing"
    books.recovered(17, checkpoint(17))
    assert books.status("deploying", 0, 100.0, None).came_from == "checkpoint 17"
    books.recovered(18, Restore(Owner(1, "n"), "s3://k:secret@b/savepoints/3", 17))
    assert books.status("deploying", 0, 100.0, None).came_from == "savepoint s3://b/savepoints/3"
    books.failed(0, CAUSE, 101.0)
    books.recovered(19, checkpoint(19))
    assert books.status("running", 1, 102.0, None).came_from.startswith("savepoint")


def test_the_end_is_told_with_its_message_and_cuts_off_what_was_under_way() -> None:
    books = report()
    books.triggered(1, 110.0)
    books.outcome("failed", "count[0] failed: no\nat job.py:7", 111.0)
    told = books.status("ended", 0, 111.0, "failed")
    assert told.message == "count[0] failed: no\nat job.py:7"
    assert told.checkpoint.history[0].reason == "count[0] failed: no"
    assert told.culprits == ()


def test_where_it_resumed_is_told_by_split_in_natural_order() -> None:
    positions = {f"in/{n}": {"offset": 10 * n, "epoch": 0, "topic_id": "x"} for n in (10, 9)}
    positions["in/1"] = 10  # type: ignore[assignment]
    steps = {"read": (StoredState({"positions": positions}), StoredState({}))}
    base = Checkpoint(Owner(0, "x"), 41, steps)
    books = report()
    books.recovered(41, base)
    status = books.status("running", 1, 100.0, None)
    assert dict(status.resumed_at) == {"in/1": "10", "in/9": "90", "in/10": "100"}
    outcome = books.outcome("finished", "", 101.0)
    assert (outcome.came_from, outcome.resumed_at) == ("checkpoint 41", status.resumed_at)
