"""The life of a job as a protocol log: what is told, what is ordered."""

from __future__ import annotations

import pytest

from raystream.checkpoint.protocol.commit import NotCommitted
from raystream.checkpoint.protocol.recover import Recovered
from raystream.checkpoint.records import Ack, Checkpoint, Owner, Restore
from raystream.errors import JobFailed, OutputLost, StorageError, Superseded
from raystream.ids import SubtaskId
from raystream.job.messages import (
    Acked,
    Connected,
    Died,
    Dry,
    End,
    Failure,
    JobEvent,
    Opened,
    Pong,
    ProcedureDone,
    ProcedureFailed,
    RunProcedure,
    StopKind,
    StopRequested,
    Tick,
)
from raystream.job.outcome import Outcome
from tests.job.log import Log

COUNT = SubtaskId("count", 1)
READ = SubtaskId("read", 0)
KILLED = "kill read[0], read[1], count[0], count[1]"


def outcome(log: Log) -> Outcome:
    last = log.commands[-1]
    assert isinstance(last, End)
    return last.outcome


def test_from_the_start_to_the_first_checkpoint() -> None:
    log = Log()
    assert log.begin() == ["run recover"]
    assert log.recovered() == ["open 4 for attempt 0"]
    assert log.opened() == ["connect 0"]
    assert log.connected() == ["start 0", "run strays"]
    assert log.state == "running"
    assert log.idle() == []
    assert log.wait(9.9) == []
    assert log.wait(0.3) == ["trigger 1"]
    assert log.acked(1) == ["run commit"]
    assert log.commit_returned() == ["notify 1", "run cleanup"]
    assert log.idle() == []
    assert log.wait(10) == ["trigger 2"]


def test_a_bounded_run_ends_with_a_final_checkpoint() -> None:
    log = Log(bounded=True).running()
    first, second = log.spec.plan.sources()
    assert log.tell(Dry(first, 0)) == []
    assert log.tell(Dry(second, 0)) == ["trigger 1 final"]
    assert log.acked(1) == ["run commit"]
    assert log.commit_returned() == ["notify 1", "run strays"]
    assert log.tell(*log.pongs()) == []
    assert log.idle() == ["run cleanup", "end finished"]
    assert outcome(log).checkpoint == 1
    assert log.machine.over


def test_dry_during_a_checkpoint_the_final_one_comes_after_it() -> None:
    log = Log(bounded=True).running()
    assert log.wait(10.1) == ["trigger 1"]
    assert log.dry() == []
    assert log.acked(1) == ["run commit"]
    assert log.commit_returned()[:2] == ["notify 1", "trigger 2 final"]


def test_the_last_counters_are_waited_for_but_not_for_ever() -> None:
    log = Log(bounded=True).running()
    log.dry()
    log.acked(1)
    log.commit_returned()
    log.idle()
    assert log.state == "ended"
    assert not log.machine.over
    log.tell(Tick(log.now + 0.5))
    assert log.tell(Tick(log.now + 1.1)) == ["end finished"]


@pytest.mark.parametrize(
    ("kind", "drain"),
    [(StopKind.STOP, "drain"), (StopKind.DRAIN, "drain and close windows")],
)
def test_stop_and_drain_go_the_way_of_a_bounded_run(kind: StopKind, drain: str) -> None:
    log = Log().running()
    assert log.tell(StopRequested(kind)) == [drain]
    assert log.state == "stopping"
    assert log.dry() == ["trigger 1 final"]
    assert log.acked(1) == ["run commit"]
    assert log.commit_returned() == ["notify 1", "run strays"]
    log.tell(*log.pongs())
    assert log.idle() == ["run cleanup", "end stopped"]


def test_a_drain_asked_for_while_deploying_is_done_when_it_runs() -> None:
    log = Log()
    log.begin()
    log.recovered()
    assert log.tell(StopRequested(StopKind.DRAIN)) == []
    assert [*log.opened(), *log.connected()] == [
        "connect 0",
        "start 0",
        "run strays",
        "drain and close windows",
    ]


def test_cancel_ends_now() -> None:
    log = Log().running()
    assert log.tell(StopRequested(StopKind.CANCEL)) == [KILLED, "run strays"]
    assert log.idle() == ["end cancelled"]
    assert outcome(log).exit_code == 4


def test_a_cancel_during_recovery_aborts_what_the_dead_attempt_left_open() -> None:
    log = Log().running()
    log.died(COUNT)
    assert log.wait(0.1)[-1] == "run recover"
    assert log.tell(StopRequested(StopKind.CANCEL)) == [KILLED]
    assert log.recovered() == ["run strays"]
    assert log.idle() == ["end cancelled"]


def test_an_end_whose_last_commit_failed_aborts_nothing() -> None:
    """The manifest may be in the log: the next recovery commits what it names."""
    log = Log().running()
    log.wait(10.1)
    log.acked(1)
    assert log.tell(ProcedureFailed("commit", OSError("away"))) == []
    assert log.tell(StopRequested(StopKind.CANCEL)) == [KILLED, "end cancelled"]


def test_a_last_commit_that_a_cancel_meets_is_a_stop() -> None:
    log = Log().running()
    log.tell(StopRequested(StopKind.STOP))
    log.dry()
    log.acked(1)
    assert log.tell(StopRequested(StopKind.CANCEL)) == [KILLED]
    assert log.commit_returned() == ["run strays"]
    assert log.idle() == ["end stopped"]


def test_cancel_lets_a_commit_come_to_its_end() -> None:
    log = Log().running()
    log.wait(10.1)
    log.acked(1)
    assert log.tell(StopRequested(StopKind.CANCEL)) == [KILLED]
    assert log.commit_returned() == ["run strays"]
    assert log.idle() == ["end cancelled"]
    assert outcome(log).checkpoint == 1


def test_a_stop_during_a_recovery_that_nobody_answers_has_failed() -> None:
    log = Log()
    log.begin()
    assert log.tell(StopRequested(StopKind.STOP)) == []
    assert log.wait(9) == []
    log.wait(1.5)
    assert (outcome(log).kind, outcome(log).exit_code) == ("failed", 1)
    assert outcome(log).message.startswith("there is no last commit: the job was recovering, ")


@pytest.mark.parametrize("kind", [StopKind.STOP, StopKind.DRAIN])
def test_a_stop_does_not_wait_for_storage_that_is_away(kind: StopKind) -> None:
    log = Log().running()
    silent = ("storage /s", 1000.0)
    assert log.tell(Tick(log.now, *silent)) == []  # a job that runs on waits without limit
    assert log.tell(StopRequested(kind)) != []
    assert log.machine.state.name == "stopping"
    log.tell(Tick(log.now + 19, "storage /s", 5.0), Tick(log.now + 19.9, *silent))
    assert log.machine.state.name == "stopping"
    log.tell(Tick(log.now + 21, "storage /s", 19.0))
    assert log.machine.state.name == "stopping"
    log.tell(Tick(log.now + 21.5, *silent), Tick(log.now + 25, *silent))
    assert (outcome(log).kind, outcome(log).exit_code) == ("failed", 1)
    assert outcome(log).message == (
        "there is no last commit: storage /s does not answer; "
        "the next run continues from the last checkpoint that is there"
    )


def test_cancel_does_not_wait_for_ever() -> None:
    log = Log().running()
    log.wait(10.1)
    log.acked(1)
    log.tell(StopRequested(StopKind.CANCEL))
    assert log.wait(10.1) == ["end cancelled"]


def test_a_death_is_followed_by_a_new_attempt() -> None:
    log = Log().running()
    assert log.died(COUNT) == []
    assert log.state == "failing"
    assert log.wait(0.1) == ["kill count[1]", "run recover"]
    assert log.recovered() == ["open 4 for attempt 1"]


def test_the_cause_is_the_dead_one_not_its_neighbour() -> None:
    log = Log().running()
    log.died(READ, "channel", "EOF from count[1]")
    log.died(COUNT)
    assert log.wait(0.1) == ["kill count[1]", "run recover"]
    assert log.machine.context.report.restarts[0].cause == "count[1] died at step count: killed"


def test_the_second_restart_waits_a_second() -> None:
    log = Log().running()
    log.died(COUNT)
    log.wait(0.1)
    log.deployed()
    log.idle()
    log.died(COUNT)
    assert log.wait(1.0) == ["kill count[1]"]
    assert log.wait(0.2) == ["run recover"]


def test_a_failure_while_a_commit_runs_does_not_cut_it_short() -> None:
    log = Log().running()
    log.wait(10.1)
    assert log.acked(1) == ["run commit"]
    log.died(COUNT)
    assert log.wait(3) == ["kill count[1]"]
    assert log.state == "recovering"
    assert log.commit_returned() == ["run recover"]
    assert log.recovered() == ["open 4 for attempt 1"]
    assert log.machine.context.report.checkpoint.number == 1


def test_a_checkpoint_that_may_not_be_committed_fails_the_attempt() -> None:
    log = Log().running()
    log.wait(10.1)
    log.acked(1)
    assert log.tell(ProcedureDone("commit", NotCommitted("expired"))) == []
    assert log.wait(0.1) == ["run recover"]


def test_a_final_commit_that_the_recovery_finds_ends_the_run() -> None:
    log = Log(bounded=True).running()
    log.dry()
    log.acked(1)
    log.died(COUNT)
    log.wait(0.1)
    log.committed()  # its result was lost with a broken connection
    log.tell(ProcedureFailed("commit", OSError("connection reset")))
    assert log.recovered() == ["run strays"]
    assert log.idle() == ["run cleanup", "end finished"]


def test_a_final_checkpoint_of_an_earlier_run_ends_nothing() -> None:
    log = Log(bounded=True)
    log.begin()
    base = Checkpoint(Owner(3, "other"), 7, {}, final=True)
    recovered = Recovered(Owner(4, "nonce-1"), 12, base, 11)
    assert log.tell(ProcedureDone("recover", recovered)) == ["open 4 for attempt 4"]


def test_a_restarted_coordinator_of_the_same_run_finds_its_final_checkpoint() -> None:
    log = Log(bounded=True, run="r1")
    log.begin()
    base = Checkpoint(Owner(3, "other"), 7, {}, final=True, job={"run": "r1"})
    log.tell(ProcedureDone("recover", Recovered(Owner(4, "nonce-1"), 12, base, 11)))
    assert log.idle() == ["run cleanup", "end finished"]


def test_restarts_are_counted_on_by_a_restarted_coordinator() -> None:
    log = Log(run="r1").running()
    log.died(COUNT)
    log.wait(0.1)
    log.deployed()
    log.idle()
    log.wait(10.1)
    log.acked(1)
    [written] = [
        command.procedure.gi_frame.f_locals["checkpoint"]
        for command in log.commands
        if isinstance(command, RunProcedure) and command.then == "commit"
    ]
    again = Log(run="r1")
    again.begin()
    again.tell(ProcedureDone("recover", Recovered(Owner(4, "nonce-1"), 12, written, 11)))
    assert again.machine.context.report.restart_count == 2
    assert again.machine.context.report.notes == ("the coordinator died and was replaced",)


def test_from_scratch_is_a_record_in_the_log_before_anything_runs_and_only_once() -> None:
    log = Log(from_scratch=True)
    log.begin()
    assert log.recovered() == ["run restore"]
    owner = log.machine.context.owner
    restored = Recovered(owner, 1, Restore(owner, "", 0), 1)
    assert log.tell(ProcedureDone("restore", restored)) == ["open 4 for attempt 0"]
    log.opened()
    log.connected()
    log.idle()
    log.died(COUNT)
    log.wait(0.1)
    assert log.recovered() == ["open 4 for attempt 1"]


def test_from_scratch_is_not_done_again_by_a_restarted_coordinator() -> None:
    log = Log(from_scratch=True, run="r1")
    log.begin()
    base = Checkpoint(Owner(0, "other"), 1, {}, job={"run": "r1"})
    recovered = Recovered(Owner(1, "nonce-1"), 3, base, 2)
    assert log.tell(ProcedureDone("recover", recovered)) == ["open 4 for attempt 1"]


@pytest.mark.parametrize("then", ["recover", "commit", "cleanup", "strays"])
def test_superseded_sends_nothing_more(then: str) -> None:
    log = Log().running()
    log.wait(10.1)
    log.acked(1)
    assert log.tell(ProcedureFailed(then, Superseded("a newer attempt"))) == ["end superseded"]
    assert outcome(log).exit_code == 3


@pytest.mark.parametrize("error", [OutputLost, JobFailed, StorageError])
def test_what_a_restart_does_not_cure_ends_the_job_with_its_message(error: type) -> None:
    log = Log().running()
    log.wait(10.1)
    log.acked(1)
    assert log.tell(ProcedureFailed("commit", error("2 records lost", "m-3"))) == [
        KILLED,
        "end failed",
    ]
    assert outcome(log).message == "m-3: 2 records lost"
    assert outcome(log).exit_code == 1


def test_a_cleanup_that_fails_is_no_failure_of_the_job() -> None:
    log = Log()
    log.begin()
    log.deployed()
    assert log.tell(ProcedureFailed("strays", OSError("no broker"))) == []
    assert log.state == "running"
    log.wait(10.1)
    log.acked(1)
    assert log.commit_returned() == ["notify 1", "run strays"]


def test_what_a_failed_attempt_left_is_swept_by_each_next_one_before_its_first_commit() -> None:
    log = Log().running()
    for _ in range(2):
        log.died(COUNT)
        log.wait(30)
        log.deployed()
        assert "run cleanup" in log.idle()


def test_user_code_that_fails_again_at_the_same_step_ends_the_job() -> None:
    log = Log().running()
    log.died(COUNT, "user", "KeyError: 'ip'")
    assert log.wait(0.1) == ["run recover"]  # the process is alive: it is reset, not killed
    log.deployed()
    log.idle()
    log.died(COUNT, "user", "KeyError: 'ip'")
    assert log.wait(0.1) == [KILLED, "run strays"]  # no transaction is left open
    assert log.idle() == ["end failed"]
    assert outcome(log).message == "count[1] failed at step count: KeyError: 'ip'"
    assert outcome(log).restarts == 1


def test_a_frozen_subtask_is_killed_and_its_node_avoided() -> None:
    log = Log(liveness_timeout=2.0).running()
    while log.state == "running":
        log.now += 0.1
        alive = [p for p in log.pongs() if isinstance(p, Pong) and p.subtask.index == 0]
        log.tell(*alive, Tick(log.now))
    assert log.now == pytest.approx(2.2, abs=0.3)
    assert log.wait(0.1) == ["kill count[1], read[1]", "run recover"]
    assert log.recovered() == ["open 4 for attempt 1 avoiding node-1"]


def test_survivors_are_pinged_while_the_job_recovers() -> None:
    log = Log().running()
    log.died(COUNT)
    log.wait(0.1)
    before = len(log.commands)
    log.wait(5)
    assert sum("ping 0" in str(_words(command)) for command in log.commands[before:]) >= 4


def _words(command: object) -> str:
    return f"{type(command).__name__.lower()} {getattr(command, 'attempt', '')}"


def test_recovery_that_fails_for_want_of_a_broker_is_tried_again_for_ever() -> None:
    log = Log()
    log.begin()
    for _ in range(20):
        log.tell(ProcedureFailed("recover", ConnectionError("no broker")))
        assert log.state == "failing"
        assert log.wait(121)[-1] == "run recover"


def test_a_subtask_that_does_not_open_in_time_fails_the_attempt() -> None:
    log = Log()
    log.begin()
    log.recovered()
    log.wait(75)
    assert log.state != "deploying"
    assert "not open after 72 s" in log.machine.context.report.restarts[0].cause


def every_event(log: Log, attempt: int) -> list[JobEvent]:
    return [
        Opened(COUNT, attempt, "a", "n"),
        Connected(COUNT, attempt),
        Acked(attempt, Ack(COUNT, 99, {})),
        Dry(READ, attempt),
        Died(COUNT, attempt, Failure("died", "killed")),
        Pong(COUNT, attempt, {"steps": {}}),
    ]


def in_state(name: str) -> Log:
    log = Log()
    log.begin()
    if name == "recovering":
        return log
    log.recovered()
    if name == "deploying":
        return log
    log.opened()
    log.connected()
    log.idle()
    if name == "stopping":
        log.tell(StopRequested(StopKind.DRAIN))
    if name == "failing":
        log.died(COUNT)
    if name == "ended":
        log.tell(StopRequested(StopKind.CANCEL))
    return log


STATES = ("recovering", "deploying", "running", "stopping", "failing", "ended")


@pytest.mark.parametrize("state", STATES)
def test_events_of_another_attempt_change_nothing(state: str) -> None:
    for old in (-7, 5):
        log = in_state(state)
        assert log.state == state
        for event in every_event(log, old):
            assert log.tell(event) == []
        assert log.state == state


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", range(12))
def test_every_event_in_every_state_is_survived(state: str, number: int) -> None:
    log = in_state(state)
    events = [
        *every_event(log, log.machine.context.opened),
        Tick(0.01),
        *(StopRequested(kind) for kind in StopKind),
        ProcedureFailed("commit", OSError("gone")),
        ProcedureDone("cleanup"),
    ]
    log.tell(events[number])
    log.wait(0.3)
    over = log.machine.over
    assert sum(isinstance(command, End) for command in log.commands) == over
    if over:
        assert isinstance(log.commands[-1], End)
        assert log.tell(*events) == []


def test_after_the_end_nothing_is_ordered() -> None:
    log = in_state("ended")
    log.idle()
    assert log.machine.over
    assert log.wait(5) == []
