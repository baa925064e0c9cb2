"""Requests for checkpoints and savepoints, and starts from one, as a protocol log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.records import Checkpoint, Owner, Restore
from raystream.errors import ConfigurationError, RaystreamError, StorageError, Superseded
from raystream.ids import SubtaskId
from raystream.job.machine import JobMachine
from raystream.job.messages import (
    CheckpointRequested,
    End,
    JobEvent,
    ProcedureDone,
    ProcedureFailed,
    SavepointDiscarded,
    SavepointKept,
    StopKind,
    StopRequested,
    Tick,
)
from raystream.job.outcome import Outcome
from raystream.plan.physical import PhysicalPlan
from tests.job.log import Log

COUNT = SubtaskId("count", 1)
PLACE = "memory:/example/savepoints"
CHECKPOINT = CheckpointRequested(1)
SAVEPOINT = CheckpointRequested(2, "", "c0ffee")
AT_THE_END = CheckpointRequested(3, "/kept", "c0ffee")
NO = StorageError("no space left", "/kept")


def outcome(log: Log) -> Outcome:
    last = log.commands[-1]
    assert isinstance(last, End)
    return last.outcome


def test_a_checkpoint_that_is_asked_for_is_taken_now_and_answered_when_it_is_committed() -> None:
    log = Log().running()
    assert log.tell(CHECKPOINT) == ["trigger 1"]
    assert log.acked(1) == ["run commit"]
    assert log.commit_returned() == ["notify 1", "answer 1: 1", "run cleanup"]


def test_a_savepoint_is_copied_beside_the_job_and_then_answered() -> None:
    log = Log().running()
    assert log.tell(SAVEPOINT) == ["trigger 1"]
    log.acked(1)
    assert log.commit_returned() == ["notify 1", f"keep 1 at {PLACE}/1-c0ffee"]
    assert log.wait(10.1) == ["trigger 2"]  # it holds up no checkpoint
    kept = SavepointKept(2, f"{PLACE}/1-c0ffee")
    assert log.tell(kept) == [f"answer 2: {PLACE}/1-c0ffee"]
    assert log.tell(kept) == []


def test_nothing_is_cleaned_up_while_a_copy_is_written() -> None:
    log = Log().running()
    log.tell(SAVEPOINT)
    log.acked(1)
    assert not any("cleanup" in word for word in log.commit_returned())
    log.wait(10.1)
    log.acked(2)
    assert log.commit_returned() == ["notify 2"]
    log.tell(SavepointKept(2, "x"))
    log.wait(10.1)
    log.acked(3)
    assert log.commit_returned() == ["notify 3", "run cleanup"]


def test_a_cleanup_that_waits_for_its_turn_does_not_come_before_the_copy() -> None:
    log = Log()
    log.begin()
    log.deployed()
    log.tell(ProcedureDone("strays", 1))  # some are left
    log.wait(10.1)
    log.acked(1)
    assert log.commit_returned() == ["notify 1", "run strays"]  # the cleanup waits behind it
    assert log.tell(SAVEPOINT) == ["trigger 2"]
    log.acked(2)
    assert log.tell(ProcedureDone("strays", 0)) == ["run commit"]
    assert log.commit_returned() == ["notify 2", "keep 2 at " + f"{PLACE}/2-c0ffee"]
    assert log.wait(1) == []


def test_a_copy_that_can_not_be_written_is_an_answer_and_no_failure() -> None:
    log = Log().running()
    log.tell(SAVEPOINT)
    log.acked(1)
    log.commit_returned()
    assert log.tell(SavepointKept(2, "x", NO)) == ["answer 2: /kept: no space left"]
    assert log.state == "running"
    assert log.wait(10.1) == ["trigger 2"]


def test_two_who_ask_at_once_are_served_by_one_checkpoint() -> None:
    log = Log().running()
    log.wait(10.1)
    assert log.tell(CHECKPOINT, SAVEPOINT) == []  # one is under way
    log.acked(1)
    assert log.commit_returned()[:2] == ["notify 1", "trigger 2"]
    log.idle()
    log.acked(2)
    assert log.commit_returned()[:3] == ["notify 2", "answer 1: 2", f"keep 2 at {PLACE}/2-c0ffee"]


def test_what_a_failure_cuts_off_is_done_after_the_recovery() -> None:
    log = Log().running()
    log.tell(CHECKPOINT, SAVEPOINT)
    log.died(COUNT)
    assert log.wait(0.1) == ["kill count[1]", "run recover"]
    log.recovered()
    log.opened()
    assert log.connected() == ["start 1", "trigger 1", "run strays"]
    log.idle()
    log.acked(1)
    assert log.commit_returned() == ["notify 1", "answer 1: 1", f"keep 1 at {PLACE}/1-c0ffee"]


def test_who_asks_before_it_runs_waits() -> None:
    log = Log()
    log.begin()
    assert log.tell(CHECKPOINT) == []
    log.recovered()
    log.opened()
    assert log.connected() == ["start 0", "trigger 1", "run strays"]


def test_a_stop_with_a_savepoint_keeps_the_last_checkpoint() -> None:
    log = Log().running()
    assert log.tell(StopRequested(StopKind.STOP, AT_THE_END)) == ["drain"]
    assert log.dry() == ["trigger 1 final"]
    log.acked(1)
    assert log.commit_returned() == ["notify 1", "keep 1 at /kept", "run strays"]
    log.tell(*log.pongs())
    assert log.idle() == []
    assert log.wait(60) == []  # a copy takes as long as it takes
    assert log.tell(SavepointKept(3, "/kept")) == ["answer 3: /kept", "run cleanup"]
    assert log.idle() == ["end stopped"]
    assert (outcome(log).savepoint, outcome(log).exit_code) == ("/kept", 0)


def test_a_stop_whose_savepoint_can_not_be_written_has_committed_and_failed() -> None:
    log = Log().running()
    log.tell(StopRequested(StopKind.DRAIN, AT_THE_END))
    log.dry()
    log.acked(1)
    log.commit_returned()
    log.tell(*log.pongs())
    log.tell(SavepointKept(3, "/kept", NO))
    assert log.idle()[-1] == "end failed"
    assert (outcome(log).checkpoint, outcome(log).exit_code) == (1, 1)
    assert outcome(log).message == (
        "the job ended and committed checkpoint 1, but no savepoint of it was written: "
        "/kept: no space left"
    )


@pytest.mark.parametrize("state", ["recovering", "deploying", "failing"])
def test_a_stop_with_a_savepoint_waits_until_there_is_one(state: str) -> None:
    log = Log()
    log.begin()
    if state != "recovering":
        log.recovered()
    if state == "failing":
        log.died(COUNT)
    stop = StopRequested(StopKind.STOP, AT_THE_END)
    assert log.tell(stop, StopRequested(StopKind.STOP)) == []
    if state == "failing":
        log.wait(0.1)
    if state != "deploying":
        log.recovered()
    assert [*log.opened(), *log.connected()][-1] == "drain"


def test_a_cancel_does_not_wait_for_a_savepoint() -> None:
    log = Log()
    log.begin()
    log.tell(StopRequested(StopKind.STOP, AT_THE_END))
    log.tell(StopRequested(StopKind.CANCEL))
    log.tell(ProcedureDone("recover", None))
    assert outcome(log).message == "cancelled; no savepoint was taken"
    assert outcome(log).savepoint == ""


def test_a_cancel_ends_the_waiting_for_a_copy() -> None:
    log = Log().running()
    log.tell(StopRequested(StopKind.STOP, AT_THE_END))
    log.dry()
    log.acked(1)
    log.commit_returned()
    assert log.tell(StopRequested(StopKind.CANCEL))[-1] == "end failed"
    assert "no savepoint of it was written" in outcome(log).message


def test_the_last_checkpoint_serves_who_asked_too_late_for_another() -> None:
    log = Log(bounded=True).running()
    log.dry()
    log.acked(1)
    assert log.tell(CHECKPOINT) == []
    assert log.commit_returned()[:2] == ["notify 1", "answer 1: 1"]
    assert log.tell(SAVEPOINT) == [f"keep 1 at {PLACE}/1-c0ffee"]
    log.tell(*log.pongs())
    log.idle()
    assert not log.machine.over
    log.tell(SavepointKept(2, "x"))
    log.idle()
    assert outcome(log).kind == "finished"


def test_the_last_checkpoint_serves_also_a_stop_that_comes_too_late() -> None:
    log = Log(bounded=True).running()
    log.dry()
    log.acked(1)
    log.commit_returned()
    assert log.tell(StopRequested(StopKind.STOP, AT_THE_END)) == ["keep 1 at /kept"]
    assert log.tell(CHECKPOINT) == ["answer 1: 1"]  # and nothing is copied twice
    log.tell(*log.pongs())
    log.tell(SavepointKept(3, "/kept"))
    log.idle()
    assert (outcome(log).kind, outcome(log).savepoint) == ("finished", "/kept")


def test_a_final_checkpoint_that_the_recovery_finds_is_kept_too() -> None:
    log = Log().running()
    log.tell(StopRequested(StopKind.STOP, AT_THE_END))
    log.dry()
    log.acked(1)
    log.died(COUNT)
    log.wait(0.1)
    log.committed()  # its result was lost with a broken connection
    log.tell(ProcedureFailed("commit", OSError("connection reset")))
    assert log.recovered() == ["keep 1 at /kept", "run strays"]
    log.tell(SavepointKept(3, "/kept"))
    log.idle()
    log.wait(2)
    assert outcome(log).savepoint == "/kept"


@pytest.mark.parametrize(
    "end",
    [
        StopRequested(StopKind.CANCEL),
        ProcedureFailed("commit", StorageError("damaged")),
        ProcedureFailed("commit", Superseded("a newer attempt")),
    ],
)
def test_nobody_is_left_without_an_answer(end: JobEvent) -> None:
    log = Log().running()
    log.tell(SAVEPOINT)
    log.acked(1)
    log.commit_returned()
    log.tell(CHECKPOINT, CheckpointRequested(7))
    said = log.tell(end) + log.wait(11)
    assert {word[:9] for word in said if word.startswith("answer")} == {
        "answer 1:",
        "answer 2:",
        "answer 7:",
    }
    assert all("has ended" in word for word in said if word.startswith("answer"))
    assert log.machine.over


# --- starting from a savepoint

KEPT = Checkpoint(Owner(4, "other"), 9, {}, job={"steps": {}, "run": "r0"})


def starting(**changes: Any) -> Log:
    log = Log(savepoint="/kept", run="r1", **changes)
    log.begin()
    return log


def restored(log: Log) -> list[str]:
    record = Restore(log.machine.context.owner, "/kept", 0, job={"run": "r1"})
    log.head += 1
    return log.tell(
        ProcedureDone("restore", Recovered(log.machine.context.owner, log.head, record, log.head))
    )


def test_state_is_brought_back_before_the_log_names_it() -> None:
    log = starting()
    assert log.recovered() == ["run bring back"]
    assert log.tell(ProcedureDone("bring back", KEPT)) == ["run restore"]
    assert restored(log) == ["open 4 for attempt 0"]
    assert log.machine.context.report.notes == ("came from savepoint /kept",)


def test_it_is_done_once() -> None:
    log = starting()
    log.recovered()
    log.tell(ProcedureDone("bring back", KEPT))
    restored(log)
    log.opened()
    log.connected()
    log.idle()
    log.died(COUNT)
    log.wait(0.1)
    assert log.recovered() == ["open 4 for attempt 1"]


def test_a_coordinator_that_is_restarted_goes_on_from_what_its_run_wrote() -> None:
    for base in (
        Restore(Owner(0, "other"), "/kept", 0, job={"run": "r1"}),
        Checkpoint(Owner(0, "other"), 1, {}, job={"run": "r1"}),
    ):
        log = starting()
        recovered = Recovered(Owner(1, "nonce-1"), 3, base, 2)
        assert log.tell(ProcedureDone("recover", recovered)) == ["open 4 for attempt 1"]
        assert "came from savepoint /kept" in log.machine.context.report.notes


def test_the_same_command_again_starts_from_the_savepoint_again() -> None:
    log = starting()
    base = Checkpoint(Owner(0, "other"), 12, {}, job={"run": "another"})
    recovered = Recovered(Owner(1, "nonce-1"), 14, base, 13)
    assert log.tell(ProcedureDone("recover", recovered)) == ["run bring back"]


def refuses(base: object, plan: PhysicalPlan) -> Mapping[SubtaskId, Mapping[str, Any]]:
    what = "the checkpoint holds state of step 'x', which the job no longer has"
    raise ConfigurationError(what)


def test_state_that_does_not_fit_is_refused_before_anything_is_changed() -> None:
    log = starting()
    log.machine = JobMachine(log.spec, "c0ffee00", "nonce", now=0.0, restore_states=refuses)
    log.begin()
    log.recovered()
    assert log.tell(ProcedureDone("bring back", KEPT)) == ["end failed"]
    assert outcome(log).exit_code == 2
    assert "state of step 'x'" in outcome(log).message


def test_no_savepoint_is_refused_and_a_damaged_one_fails() -> None:
    errors: list[tuple[RaystreamError, int]] = [
        (ConfigurationError("there is no savepoint", "/kept"), 2),
        (StorageError("the checksum of the segment does not match", "/kept/x"), 1),
    ]
    for error, code in errors:
        log = starting()
        log.recovered()
        assert log.tell(ProcedureFailed("bring back", error)) == ["end failed"]
        assert (outcome(log).exit_code, outcome(log).message) == (code, str(error))


def test_storage_that_is_out_of_reach_is_tried_again() -> None:
    log = starting()
    log.recovered()
    log.tell(ProcedureFailed("bring back", ConnectionError("no route")))
    assert log.wait(0.1) == ["run recover"]
    assert log.recovered() == ["run bring back"]


def test_a_claimed_savepoint_goes_after_the_first_checkpoint_and_never_before() -> None:
    log = starting(claim=True)
    log.recovered()
    log.tell(ProcedureDone("bring back", KEPT))
    restored(log)
    log.opened()
    log.connected()
    log.idle()
    log.died(COUNT)
    log.wait(0.1)
    log.recovered()
    log.opened()
    log.connected()
    log.idle()
    assert log.wait(10.1) == ["trigger 1"]
    assert log.acked(1) == ["run commit"]
    assert log.commit_returned() == ["notify 1", "discard /kept", "run cleanup"]
    log.idle()
    log.tell(SavepointDiscarded("/kept", NO))
    assert log.machine.context.report.notes[-1] == (
        "savepoint /kept could not be deleted: /kept: no space left"
    )
    log.wait(10.1)
    log.acked(2)
    assert log.commit_returned() == ["notify 2", "run cleanup"]


def test_a_claimed_savepoint_goes_also_if_the_coordinator_died_before() -> None:
    log = starting(claim=True)
    base = Checkpoint(Owner(0, "other"), 1, {}, job={"run": "r1"})
    recovered = Recovered(Owner(1, "nonce-1"), 3, base, 2)
    said = log.tell(ProcedureDone("recover", recovered))
    assert said == ["discard /kept", "open 4 for attempt 1"]


def test_the_end_waits_for_the_deletion_but_not_for_ever() -> None:
    log = starting(claim=True, bounded=True)
    base = Checkpoint(Owner(0, "other"), 1, {}, final=True, job={"run": "r1"})
    log.tell(ProcedureDone("recover", Recovered(Owner(1, "nonce-1"), 3, base, 2)))
    log.idle()
    assert not log.machine.over
    log.tell(Tick(log.now + 11))
    assert outcome(log).kind == "finished"
