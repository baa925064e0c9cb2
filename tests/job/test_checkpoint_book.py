"""The history of checkpoints, from triggers, acks and what subtasks tell."""

from __future__ import annotations

from raystream.checkpoint.records import Checkpoint, Owner, SegmentRef, StoredState
from raystream.ids import SubtaskId
from raystream.job.checkpoint_book import KEPT, CheckpointBook

READ, COUNT = SubtaskId("read", 0), SubtaskId("count", 0)


def checkpoint(number: int, **sizes: int) -> Checkpoint:
    refs = tuple(SegmentRef(key, key, size, "") for key, size in sizes.items())
    return Checkpoint(Owner(0, "n"), number, {"count": (StoredState({}, refs),)})


def book() -> CheckpointBook:
    return CheckpointBook(10.0, 300.0, wall_ms=1_000_000.0)


def test_one_checkpoint_with_all_its_times() -> None:
    told = book()
    told.triggered(7, [READ, COUNT], 100.0, final=False)
    told.ack(READ, 7, 100.2)
    told.ack(COUNT, 7, 101.0)
    told.last_ack(101.0)
    told.complete(checkpoint(7, a=100), 101.5)
    told.pong(
        READ, {"7": {"align_s": 0.0, "sync_s": 0.01, "flush_s": 0.0, "handed_in_ms": 1.1001e6}}
    )
    told.pong(
        COUNT, {"7": {"align_s": 0.3, "sync_s": 0.02, "flush_s": 0.1, "handed_in_ms": 1.1006e6}}
    )
    (entry,) = told.status(103.0).history
    assert (entry.number, entry.state, entry.triggered_at_ms) == (7, "completed", 1_100_000)
    assert (entry.duration_s, entry.ack_s, entry.commit_s) == (1.5, 1.0, 0.5)
    assert (entry.align_s, entry.sync_s, entry.flush_s) == (0.3, 0.02, 0.1)
    assert entry.upload_s == 0.4
    assert (entry.size_bytes, entry.new_bytes) == (100, 100)
    status = told.status(103.0)
    assert (status.number, status.age_s, status.running, status.waiting_for) == (7, 1.5, None, ())
    assert (status.interval_s, status.timeout_s) == (10.0, 300.0)


def test_the_one_under_way_says_whose_acks_are_missing() -> None:
    told = book()
    told.triggered(1, [READ, COUNT], 100.0, final=False)
    told.ack(READ, 1, 100.5)
    told.ack(COUNT, 99, 100.5)  # of another checkpoint
    status = told.status(104.0)
    assert (status.running, status.running_s, status.waiting_for) == (1, 4.0, ("count[0]",))


def test_a_failure_is_told_with_its_reason_and_who_had_not_acked() -> None:
    told = book()
    told.triggered(1, [READ, COUNT], 100.0, final=False)
    told.ack(READ, 1, 100.5)
    told.fail("count[0] died: killed", 102.0)
    status = told.status(103.0)
    (entry,) = status.history
    assert (entry.state, entry.duration_s, status.failed) == ("failed", 2.0, 1)
    assert entry.reason == "count[0] died: killed; no ack of count[0]"
    told.fail("again", 104.0)  # nothing is under way
    assert told.status(105.0).failed == 1


def test_clocks_of_nodes_that_differ_give_no_negative_and_no_endless_upload() -> None:
    for handed_in, expected in ((1.2e6, 0.0), (0.9e6, 0.5)):
        told = book()
        told.triggered(1, [READ], 100.0, final=False)
        told.ack(READ, 1, 100.5)
        told.pong(READ, {"1": {"handed_in_ms": handed_in}})
        assert told.status(101.0).history[0].upload_s == expected


def test_the_history_is_bounded() -> None:
    told = book()
    for number in range(1, 100):
        told.triggered(number, [READ], float(number), final=number == 99)
        told.last_ack(number + 0.1)
        told.complete(checkpoint(number), number + 0.2)
    history = told.status(100.0).history
    assert [entry.number for entry in history] == list(range(100 - KEPT, 100))
    assert history[-1].final
    assert not history[0].final


def test_a_savepoint_is_marked_at_its_checkpoint() -> None:
    told = book()
    told.triggered(1, [READ], 1.0, final=False)
    told.complete(checkpoint(1), 2.0)
    told.keep(1, "s3://bucket/savepoints/1")
    told.keep(5, "s3://bucket/savepoints/5")  # older than the history, or of another run
    assert [entry.savepoint for entry in told.status(3.0).history] == ["s3://bucket/savepoints/1"]
