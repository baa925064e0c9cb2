"""`resolve` and the commit of a checkpoint: every answer at every yield."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from raystream.checkpoint.protocol.commands import (
    POINTS,
    Abort,
    CheckPrepared,
    Commit,
    Create,
    Read,
    Sleep,
)
from raystream.checkpoint.protocol.commit import Committed, NotCommitted, commit_checkpoint
from raystream.checkpoint.protocol.log import Base
from raystream.checkpoint.protocol.procedure import Command, Procedure
from raystream.checkpoint.protocol.resolve import (
    BUSY_LIMIT_S,
    PHASE_TWO,
    RECOVERY,
    Resolved,
    RolledBack,
    resolve,
)
from raystream.checkpoint.records import (
    AttemptRecord,
    Checkpoint,
    Committable,
    Done,
    Owner,
    Rollback,
    Seal,
    StoredState,
)
from raystream.checkpoint.verdicts import AbortVerdict, Problem, Put, Verdict
from raystream.errors import JobFailed, OutputLost, StorageError, Superseded
from tests.checkpoint.protocol.explore import Path, explore

ME = Owner(3, "mine")
A = Committable("counts", 0, 120, ("out/3", "out/4"), "handle-a")
B = Committable("counts", 1, 7, ("out/5",), "handle-b")
EARLIER = Checkpoint(Owner(2, "before"), 6, {})
FINAL = (Verdict.COMMITTED, Verdict.LOST, Verdict.UNKNOWN, Verdict.REFUSED)


def checkpoint(*committables: Committable) -> Checkpoint:
    states = tuple(StoredState(committable=one) for one in committables)
    return Checkpoint(ME, 7, {"counts": states})


def fates(path: Sequence[tuple[Command[Any], Any]]) -> dict[Committable, Verdict]:
    """The last verdict of each committable."""
    found: dict[Committable, Verdict] = {}
    for command, answer in path:
        if isinstance(command, Commit):
            found.update(zip(command.committables, answer, strict=True))
    return found


def verdicts(command: Commit, story: Sequence[Any]) -> Iterator[tuple[Verdict, ...]]:
    """Every combination that is possible: what was final once stays so; AGAIN a few times."""
    before = fates(story)
    again = sum(Verdict.AGAIN in answer for c, answer in story if isinstance(c, Commit))
    choices = []
    for one in command.committables:
        if before.get(one, Verdict.AGAIN) in FINAL:
            choices.append((before[one],))
        else:
            choices.append(FINAL + ((Verdict.AGAIN,) if again < 1 else ()))
    return product(*choices)


def answers(command: Command[Any], story: Sequence[Any]) -> Sequence[Any]:
    match command:
        case CheckPrepared():
            return [(), (Problem(B, "older than half the transaction timeout"),)]
        case Create():
            unknown = sum(answer is Put.UNKNOWN for _, answer in story)
            return [Put.CREATED, Put.EXISTS] + [Put.UNKNOWN] * (unknown < 1)
        case Read("attempt-0000000004"):
            return [None, AttemptRecord(Owner(4, "newer"))]
        case Read("done-0000000012"):
            return [None, Done(Owner(2, "other"), 12)]
        case Read("m-0000000012"):
            return [checkpoint(A, B), Seal(Owner(4, "newer"))]
        case Read("m-0000000013") | Read("m-0000000015"):
            gone = any(isinstance(c, Read) and c.key == command.key for c, _ in story)
            return [Rollback(ME, 12, 11), Seal(Owner(4, "newer"))] + [None] * (not gone)
        case Read("m-0000000011"):
            return [EARLIER, None]
        case Commit():
            return list(verdicts(command, story))
        case Abort(committables):
            again = sum(isinstance(c, Abort) for c, _ in story)
            kinds = list(AbortVerdict) if again < 1 else [AbortVerdict.ABORTED]
            return list(product(kinds, repeat=len(committables)))
        case Sleep():
            return [float(len(story))]
    raise AssertionError(command)


def in_phase_two() -> Procedure[Any]:
    return commit_checkpoint(12, checkpoint(B, A))


def in_recovery() -> Procedure[Any]:
    return resolve(12, checkpoint(B, A), ME, head=14, phase=RECOVERY)


def accepting() -> Procedure[Any]:
    return resolve(12, checkpoint(B, A), ME, head=14, phase=RECOVERY, accept=True)


PATHS: dict[Callable[[], Procedure[Any]], list[Path]] = {}


@pytest.fixture(params=[in_phase_two, in_recovery, accepting], ids=lambda f: f.__name__)
def paths(request: pytest.FixtureRequest) -> list[Path]:
    start = request.param
    if start not in PATHS:
        PATHS[start] = list(explore(start, answers))
    return PATHS[start]


def test_all_paths_are_walked(paths: list[Path]) -> None:
    assert len(paths) > 400
    assert {c.name for path in paths for c, _ in path.story} <= set(POINTS)


def test_they_end_in_a_known_way(paths: list[Path]) -> None:
    known = (
        *(Committed, NotCommitted, Resolved, RolledBack),
        *(Superseded, OutputLost, JobFailed, StorageError),
    )
    for path in paths:
        assert isinstance(path.outcome, known), path


def test_done_is_created_only_when_all_are_committed_or_the_loss_is_accepted(
    paths: list[Path],
) -> None:
    for path in paths:
        for i, (command, _) in enumerate(path.story):
            if isinstance(command, Create) and isinstance(command.record, Done):
                final = fates(path.story[:i])
                assert set(final) == {A, B}
                assert set(final.values()) <= set(FINAL) - {Verdict.REFUSED}
                lost = {one for one, v in final.items() if v is not Verdict.COMMITTED}
                assert set(command.record.lost) == lost


def test_success_means_that_done_is_durable(paths: list[Path]) -> None:
    for path in paths:
        if isinstance(path.outcome, Committed | Resolved):
            created = [
                answer
                for command, answer in path.story
                if isinstance(command, Create) and isinstance(command.record, Done)
            ]
            read = [answer for _, answer in path.named("re-read done")]
            assert (created and created[-1] is not Put.UNKNOWN) or read[-1] is not None


def test_a_loss_is_told_only_after_done_and_the_newer_attempt_were_looked_for(
    paths: list[Path],
) -> None:
    for path in paths:
        if isinstance(path.outcome, OutputLost):
            (done, nothing), (newer, nobody) = path.story[-2:]
            assert (done.name, nothing) == ("re-read done", None)
            assert (newer.name, nobody) == ("look for newer", None)
            final = fates(path.story)
            assert set(final) == {A, B}  # V9: no other was left to expire
            for one, verdict in final.items():
                named = f"subtask {one.subtask}, {one.n_records} records" in str(path.outcome)
                assert named == (verdict is not Verdict.COMMITTED)


def test_without_a_negative_answer_nothing_is_aborted(paths: list[Path]) -> None:
    for path in paths:
        if path.named("abort for rollback"):
            before = path.until("abort for rollback")
            assert set(fates(before).values()) == {Verdict.LOST}
            assert [c.name for c, _ in before[-2:]] == ["re-read done", "look for newer"]
            assert [answer for _, answer in before[-2:]] == [None, None]


def test_a_rollback_needs_proof_for_every_transaction(paths: list[Path]) -> None:
    seen = 0
    for path in paths:
        if path.named("create rollback"):
            seen += 1
            proved: set[Committable] = set()
            for command, answer in path.named("abort for rollback"):
                assert AbortVerdict.PARTLY_COMMITTED not in answer
                assert isinstance(command, Abort)
                pairs = zip(command.committables, answer, strict=True)
                proved |= {one for one, v in pairs if v is AbortVerdict.ABORTED}
            assert proved == {A, B}
    assert seen > 0


def test_after_a_newer_attempt_was_seen_nothing_is_sent(paths: list[Path]) -> None:
    for path in paths:
        newer = [i for i, (_, answer) in enumerate(path.story) if isinstance(answer, AttemptRecord)]
        if newer:
            assert newer == [len(path.story) - 1]
            assert isinstance(path.outcome, Superseded)


def test_nothing_is_sent_before_the_commit_point() -> None:
    for path in explore(in_phase_two, answers):
        sent = [i for i, (c, _) in enumerate(path.story) if isinstance(c, Commit | Abort)]
        if sent:
            before = path.story[: sent[0]]
            assert (before[0][0].name, before[0][1]) == ("check prepared", ())
            assert (before[-1][0].name, before[-1][1]) == ("look for newer", None)
            put = [a for c, a in before if c.name == "create manifest"][-1]
            assert put is Put.CREATED or before[-2][1] == checkpoint(A, B)


def test_a_transaction_that_is_not_ready_fails_the_attempt_before_anything_is_written() -> None:
    refused = [p for p in explore(in_phase_two, answers) if isinstance(p.outcome, NotCommitted)]
    early = [path for path in refused if len(path.story) == 1]
    assert [path.outcome.reason for path in early] == [
        "step 'counts' subtask 1: older than half the transaction timeout"
    ]


def test_the_first_goes_alone_and_the_rest_together() -> None:
    procedure = in_recovery()
    first = next(procedure)
    second = procedure.send((Verdict.COMMITTED,))
    assert (first.name, second.name) == ("recover commit", "recover mid commit")
    assert (first, second) == (
        Commit((A,), "recover commit"),
        Commit((B,), "recover mid commit"),
    )


def drive(procedure: Procedure[Any], *given: Any) -> tuple[list[str], Any]:
    """Feed answers; the names of the commands, and the outcome."""
    names: list[str] = []
    answer: Any = None
    try:
        for following in given:
            names.append(procedure.send(answer).name)
            answer = following
        return names, procedure.send(answer)
    except StopIteration as stop:
        return names, stop.value
    except Exception as error:  # noqa: BLE001
        return names, error


def test_a_checkpoint_without_output_only_needs_its_slot_and_done() -> None:
    empty = checkpoint()
    story = drive(commit_checkpoint(12, empty), Put.CREATED, None, Put.CREATED)
    assert story == (
        ["create manifest", "look for newer", "before done"],
        Committed(12, empty),
    )


def test_a_slot_of_which_nothing_was_committed_is_rolled_back() -> None:
    story = drive(
        in_recovery(),
        (Verdict.LOST,),
        None,
        None,
        (AbortVerdict.ABORTED, AbortVerdict.ABORTED),
        EARLIER,
        Put.CREATED,
        None,
    )
    assert story == (
        [
            "recover commit",
            "re-read done",
            "look for newer",
            "abort for rollback",
            "read log",
            "create rollback",
            "look for newer",
        ],
        RolledBack(15, Base(11, EARLIER)),
    )


def test_the_message_names_what_is_lost_and_what_to_do() -> None:
    _, outcome = drive(
        in_recovery(),
        (Verdict.COMMITTED,),
        (Verdict.LOST,),
        None,
        None,
    )
    assert isinstance(outcome, OutputLost)
    assert str(outcome) == (
        "m-0000000012: 1 of 2 transactions of checkpoint 7 cannot be committed any more: "
        "step 'counts' subtask 1, 7 records for out/5 (lost); compare the output with the input; "
        "then run again with --accept-loss to continue without these records, "
        "or with --from-scratch to write all again"
    )


def test_a_forgotten_id_is_told_as_unknown() -> None:
    _, outcome = drive(in_recovery(), (Verdict.UNKNOWN,), (Verdict.COMMITTED,), None, None)
    assert isinstance(outcome, OutputLost)
    assert "120 records for out/3, out/4 (unknown, the broker forgot it)" in str(outcome)


def test_a_refusal_is_no_loss() -> None:
    _, outcome = drive(in_recovery(), (Verdict.REFUSED,), (Verdict.COMMITTED,), None, None)
    assert isinstance(outcome, JobFailed)
    assert "allow WRITE on their ids" in str(outcome)


def test_accepting_a_loss_writes_it_down() -> None:
    names, outcome = drive(
        accepting(), (Verdict.COMMITTED,), (Verdict.LOST,), None, None, Put.CREATED
    )
    assert names[-1] == "recover before done"
    assert outcome == Resolved(lost=(B,))


def busy_for(seconds: float, kind: Verdict) -> tuple[int, Any]:
    """Answer `kind` to one committable until the clock has run so long; tries, then outcome."""
    procedure = resolve(12, checkpoint(A), ME, head=12, phase=PHASE_TWO)
    command, now, tries = next(procedure), 0.0, 0
    try:
        while now <= seconds:
            if isinstance(command, Commit):
                tries += 1
                command = procedure.send((kind,))
            elif isinstance(command, Sleep):
                now += command.seconds
                command = procedure.send(now)
            else:
                command = procedure.send(None)
    except JobFailed as failed:
        return tries, failed
    return tries, None


def test_a_coordinator_that_is_only_ever_busy_stops_the_job_after_five_minutes() -> None:
    tries, outcome = busy_for(BUSY_LIMIT_S + 10, Verdict.BUSY)
    assert tries > 100
    assert str(outcome) == (
        "m-0000000012: 1 transactions of checkpoint 7 cannot be committed now: step 'counts' "
        "subtask 0, 120 records for out/3, out/4 (coordinator busy for 5 min); "
        "restart the broker that coordinates them, then run again: nothing is lost"
    )


def test_a_broker_that_can_not_be_reached_is_waited_for_without_limit() -> None:
    _, outcome = busy_for(BUSY_LIMIT_S * 20, Verdict.AGAIN)
    assert outcome is None
