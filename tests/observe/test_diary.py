"""What a job's log says, from one status document to the next."""

from __future__ import annotations

from dataclasses import replace

from raystream.observe.diary import entries
from raystream.observe.status import CheckpointStatus, RestartStatus, StatusDocument

START = StatusDocument("sale", "running", attempt=1)


def test_the_first_document_says_where_the_job_is() -> None:
    assert entries(None, StatusDocument("sale", "recovering", attempt=-1)) == [
        "the job is recovering"
    ]


def test_nothing_new_is_no_line() -> None:
    assert entries(START, replace(START, uptime_s=9.0)) == []


def test_a_failure_comes_before_what_follows_from_it() -> None:
    failed = RestartStatus(1, "read[0]: ValueError: x", 3.0)
    now = replace(START, state="deploying", attempt=2, restart_count=1, restarts=(failed,))
    assert entries(START, now) == [
        "attempt 1 failed: read[0]: ValueError: x",
        "attempt 2 is deploying",
    ]


def test_only_new_failures_though_old_ones_are_forgotten() -> None:
    known = tuple(RestartStatus(n, f"cause {n}", 1.0) for n in range(1, 21))
    before = replace(START, restart_count=20, restarts=known)
    now = replace(START, restart_count=22, restarts=(*known[2:], *known[:2]))
    assert entries(before, now) == ["attempt 1 failed: cause 1", "attempt 2 failed: cause 2"]


def test_a_checkpoint_is_told_once_and_not_when_it_was_restored() -> None:
    restored = replace(START, checkpoint=CheckpointStatus(number=7))
    assert entries(START, restored) == []
    done = CheckpointStatus(
        8, completed=1, duration_s=0.5, ack_s=0.3, commit_s=0.2, size_bytes=10**6
    )
    assert entries(restored, replace(START, checkpoint=done)) == [
        "checkpoint 8 took 0.50 s (0.30 s to the last ack, 0.20 s to commit), 1.0 MB"
    ]


def test_new_notes_and_the_end() -> None:
    now = replace(START, state="ended", outcome="stopped", notes=("read is slow",))
    assert entries(START, now) == ["the run has ended: stopped", "read is slow"]


def test_who_is_slow_at_the_moment_is_no_event() -> None:
    before = StatusDocument("sale", "running", attempt=1)
    slow = ("count is the slowest step (busy 97 %)",)
    now = StatusDocument("sale", "running", attempt=1, notes=("a node left", *slow), culprits=slow)
    assert entries(before, now) == ["a node left"]
