"""The coordinator as a log of events (>) and commands."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from raystream.checkpoint.barrier import Barrier
from raystream.checkpoint.coordinator import (
    CheckpointCoordinator,
    Position,
    TriggerSettings,
    assemble,
)
from raystream.checkpoint.messages import (
    Acked,
    CheckpointCommitted,
    CheckpointRequested,
    Command,
    CommitCheckpoint,
    Event,
    FailAttempt,
    FinalRequested,
    NotifyCommitted,
    Served,
    Tick,
    TriggerBarrier,
)
from raystream.checkpoint.records import Ack, Checkpoint, Committable, Owner, StoredState
from raystream.ids import SubtaskId

OWNER = Owner(4, "nonce")
READ, COUNT_0, COUNT_1 = SubtaskId("read", 0), SubtaskId("count", 0), SubtaskId("count", 1)
ALL = [READ, COUNT_0, COUNT_1]
JOB = {"polars": "2.1.0"}


def coordinator(job: Mapping[str, Any] = JOB, **settings: float) -> CheckpointCoordinator:
    chosen = TriggerSettings(**{"interval_s": 10, "timeout_s": 60, **settings})
    return CheckpointCoordinator(ALL, Position(OWNER, 20, 7), chosen, job)


def ack(subtask: SubtaskId, number: int = 7, x: int = 0) -> Acked:
    return Acked(Ack(subtask, number, {subtask.chain: StoredState({"x": x + subtask.index})}))


def checkpoint(number: int = 7, *, final: bool = False) -> Checkpoint:
    steps = {
        "count": (StoredState({"x": 0}), StoredState({"x": 1})),
        "read": (StoredState({"x": 0}),),
    }
    return Checkpoint(OWNER, number, steps, final, JOB)


def play(machine: CheckpointCoordinator, *log: Event | Command) -> None:
    """Events are handled; the commands after each must be exactly those that follow it."""
    expected: list[Command] = []
    given: list[Command] = []
    for entry in log:
        if isinstance(entry, Event):
            assert given == expected
            given, expected = machine.handle(entry), []
        else:
            expected.append(entry)
    assert given == expected


ROUND: tuple[Event | Command, ...] = (
    Tick(0.0),
    Tick(9.9),
    Tick(10.0),
    TriggerBarrier(Barrier(7)),
    ack(COUNT_1),
    ack(READ),
    ack(COUNT_0),
    CommitCheckpoint(21, checkpoint()),
    CheckpointCommitted(7),
    NotifyCommitted(7),
)


def test_a_checkpoint_after_the_interval() -> None:
    machine = coordinator()
    play(machine, *ROUND)
    assert machine.head == 21
    assert machine.in_progress is None


def test_the_next_one_counts_on_from_trigger_to_trigger() -> None:
    play(
        coordinator(),
        *ROUND,
        Tick(19.9),
        Tick(20.0),
        TriggerBarrier(Barrier(8)),
        ack(READ, 8),
        ack(COUNT_0, 8),
        ack(COUNT_1, 8),
        CommitCheckpoint(22, checkpoint(8)),
    )


def test_nothing_is_triggered_before_done_of_the_previous_one() -> None:
    play(
        coordinator(),
        *ROUND[:-2],
        Tick(50.0),
        FinalRequested(),
        CheckpointRequested(1),
        Tick(5000.0),  # phase two has no timeout
        CheckpointCommitted(7),
        NotifyCommitted(7),
        TriggerBarrier(Barrier(8, final=True)),
    )


def test_a_pause_after_a_slow_checkpoint() -> None:
    play(
        coordinator(min_pause_s=5),
        *ROUND[:-2],
        Tick(30.0),
        CheckpointCommitted(7),
        NotifyCommitted(7),
        Tick(34.9),
        Tick(35.0),
        TriggerBarrier(Barrier(8)),
    )


def test_a_slow_checkpoint_without_a_pause_is_followed_at_once() -> None:
    play(
        coordinator(),
        *ROUND[:-2],
        Tick(30.0),
        CheckpointCommitted(7),
        NotifyCommitted(7),
        TriggerBarrier(Barrier(8)),
    )


def test_the_final_checkpoint_does_not_wait_and_is_the_last() -> None:
    play(
        coordinator(),
        Tick(0.0),
        FinalRequested(),
        TriggerBarrier(Barrier(7, final=True)),
        ack(READ),
        ack(COUNT_0),
        ack(COUNT_1),
        CommitCheckpoint(21, checkpoint(final=True)),
        CheckpointCommitted(7),
        NotifyCommitted(7),
        Tick(1000.0),
        FinalRequested(),
    )


def test_final_may_be_requested_before_the_first_tick() -> None:
    play(coordinator(), FinalRequested(), Tick(0.0), TriggerBarrier(Barrier(7, final=True)))


def whole(number: int, *, output: bool = False) -> tuple[Event | Command, ...]:
    """From the trigger to the notice; `output`: it commits a transaction."""
    sent = Committable("out", 0, 5, ("t/0",), "handle") if output else None
    last = Acked(Ack(COUNT_1, number, {"count": StoredState({"x": 1}, committable=sent)}))
    made = checkpoint(number)
    if output:
        made = replace(
            made, steps={**made.steps, "count": (StoredState({"x": 0}), last.ack.steps["count"])}
        )
    return (
        TriggerBarrier(Barrier(number)),
        *(ack(subtask, number) for subtask in (READ, COUNT_0)),
        last,
        CommitCheckpoint(14 + number, made),
        CheckpointCommitted(number),
        NotifyCommitted(number),
    )


def test_after_a_restart_the_first_output_does_not_wait_for_a_whole_interval() -> None:
    play(
        coordinator(hurried=True),
        Tick(0.0),
        Tick(2.4),
        Tick(2.5),
        *whole(7),
        Tick(5.0),
        *whole(8, output=True),
        Tick(14.9),
        Tick(15.0),
        TriggerBarrier(Barrier(9)),
    )


def test_without_output_a_restart_is_over_after_an_interval() -> None:
    rounds = [
        (Tick(at), *whole(number)) for at, number in ((2.5, 7), (5.0, 8), (7.5, 9), (10.0, 10))
    ]
    play(
        coordinator(hurried=True, min_pause_s=2.5),
        Tick(0.0),
        *(each for one in rounds for each in one),
        Tick(19.9),
        Tick(20.0),
        TriggerBarrier(Barrier(11)),
    )


def test_a_checkpoint_that_is_asked_for_does_not_wait_and_is_told() -> None:
    play(
        coordinator(),
        Tick(0.0),
        CheckpointRequested(5),
        TriggerBarrier(Barrier(7)),
        ack(READ),
        ack(COUNT_0),
        ack(COUNT_1),
        CommitCheckpoint(21, checkpoint()),
        CheckpointCommitted(7),
        NotifyCommitted(7),
        Served((5,), checkpoint()),
        Tick(9.9),
        Tick(10.0),
        TriggerBarrier(Barrier(8)),
    )


def test_one_asked_for_during_a_checkpoint_is_the_next_one_and_serves_all_who_asked() -> None:
    play(
        coordinator(),
        *ROUND[:4],
        CheckpointRequested(5),
        CheckpointRequested(6),
        ack(READ),
        ack(COUNT_0),
        ack(COUNT_1),
        CommitCheckpoint(21, checkpoint()),
        CheckpointCommitted(7),
        NotifyCommitted(7),
        TriggerBarrier(Barrier(8)),
        *(ack(subtask, 8) for subtask in (READ, COUNT_0, COUNT_1)),
        CommitCheckpoint(22, checkpoint(8)),
        CheckpointCommitted(8),
        NotifyCommitted(8),
        Served((5, 6), checkpoint(8)),
    )


def test_missing_acks_fail_the_attempt_after_the_timeout() -> None:
    play(
        coordinator(),
        *ROUND[:4],
        ack(COUNT_0),
        Tick(69.9),
        Tick(70.0),
        FailAttempt("checkpoint 7: timed out after 60 s without an ack of count[1], read[0]"),
        ack(COUNT_1),
        ack(READ),
        Tick(1000.0),
    )


def test_who_is_missing_is_shown_and_long_lists_are_cut() -> None:
    many = [SubtaskId("c", i) for i in range(9)]
    machine = CheckpointCoordinator(many, Position(OWNER, 0), TriggerSettings(1, 0, 5))
    machine.handle(Tick(0.0))
    machine.handle(Tick(1.0))
    assert machine.in_progress == 1
    assert machine.missing() == many
    [command] = machine.handle(Tick(6.0))
    assert command == FailAttempt(
        "checkpoint 1: timed out after 5 s without an ack of c[0], c[1], c[2], c[3], c[4] "
        "and 4 more"
    )


def test_an_ack_delivered_twice_is_taken_once() -> None:
    play(
        coordinator(),
        *ROUND[:4],
        ack(READ),
        ack(READ),
        ack(COUNT_0),
        ack(COUNT_1),
        CommitCheckpoint(21, checkpoint()),
        ack(COUNT_1),
        CheckpointCommitted(7),
        NotifyCommitted(7),
        ack(COUNT_1),
    )


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (ack(SubtaskId("other", 0)), "ack of an unknown subtask other[0]"),
        (ack(READ, 8), "read[0] acked checkpoint 8 out of step"),
        (ack(COUNT_0, x=5), "count[0] acked twice, differently"),
        (CheckpointCommitted(7), "checkpoint 7 was committed out of step"),
    ],
)
def test_what_can_not_be_fails_the_attempt_loudly(event: Event, why: str) -> None:
    log = (*ROUND[:4], ack(COUNT_0), event, FailAttempt(f"checkpoint 7: {why}"), Tick(99.0))
    play(coordinator(), *log)


def test_an_ack_before_any_trigger_fails_the_attempt() -> None:
    why = "checkpoint 7: read[0] acked checkpoint 7 out of step"
    play(coordinator(), Tick(0.0), ack(READ), FailAttempt(why))


def test_state_is_ordered_by_index_whatever_the_order_of_acks() -> None:
    acks = [
        Ack(SubtaskId("c", i), 1, {"a": StoredState({"i": i}), "b": StoredState()})
        for i in range(12)
    ]
    random.Random(1).shuffle(acks)
    steps = assemble(acks)
    assert [state.header["i"] for state in steps["a"]] == list(range(12))
    assert len(steps["b"]) == 12


def test_a_step_left_out_by_some_subtasks_was_empty_there() -> None:
    acks = [
        Ack(SubtaskId("c", 0), 1, {}),
        Ack(SubtaskId("c", 1), 1, {"a": StoredState({"i": 1})}),
        Ack(SubtaskId("d", 0), 1, {"e": StoredState()}),
    ]
    assert assemble(acks) == {
        "a": (StoredState(), StoredState({"i": 1})),
        "e": (StoredState(),),
    }


def test_an_open_transaction_ages_while_the_slowest_subtask_is_waited_for() -> None:
    machine = coordinator()
    for event in (Tick(0.0), Tick(10.0)):
        machine.handle(event)
    committable = Committable("sink", 0, 5, ("counts/0",), "handle", age_s=9.0)
    early = Ack(COUNT_0, 7, {"sink": StoredState(committable=committable)})
    late = Ack(COUNT_1, 7, {"sink": StoredState(committable=replace(committable, subtask=1))})
    machine.handle(Acked(early))
    machine.handle(Acked(Ack(READ, 7, {})))
    machine.handle(Tick(52.0))
    machine.handle(Acked(early))  # delivered twice
    (commit,) = machine.handle(Acked(late))
    assert isinstance(commit, CommitCheckpoint)
    assert [one.age_s for one in commit.checkpoint.committables()] == [51.0, 9.0]


def test_a_checkpoint_holds_the_counters_of_its_run_up_to_its_barrier() -> None:
    machine = coordinator(job={**JOB, "counters": {"read": {"rows_out": 100}}})
    for event in (Tick(0.0), Tick(10.0)):
        machine.handle(event)
    machine.handle(Acked(Ack(READ, 7, {}, {"read": {"rows_out": 5}})))
    machine.handle(Acked(Ack(COUNT_0, 7, {}, {"count": {"rows_in": 2, "late_rows": 1}})))
    (commit,) = machine.handle(Acked(Ack(COUNT_1, 7, {}, {"count": {"rows_in": 3}})))
    assert isinstance(commit, CommitCheckpoint)
    assert commit.checkpoint.job == {
        **JOB,
        "counters": {"read": {"rows_out": 105}, "count": {"rows_in": 5, "late_rows": 1}},
    }
