"""Recovery: every log at every yield, and what it makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from raystream.checkpoint.keys import attempt_key, done_key, slot_key
from raystream.checkpoint.protocol.commands import (
    POINTS,
    Commit,
    Create,
    ListKeys,
    Read,
    Sleep,
)
from raystream.checkpoint.protocol.procedure import Command
from raystream.checkpoint.protocol.recover import Recovered, claim_attempt, recover
from raystream.checkpoint.protocol.restore import from_scratch, restore
from raystream.checkpoint.records import (
    AttemptRecord,
    Checkpoint,
    Committable,
    Done,
    Owner,
    Record,
    Restore,
    Rollback,
    Seal,
    SegmentRef,
    StoredState,
)
from raystream.checkpoint.verdicts import Put, Verdict
from raystream.errors import StorageError, Superseded
from tests.checkpoint.protocol.explore import explore
from tests.checkpoint.protocol.world import Runner, World

OLD, NEWER = Owner(0, "old"), Owner(9, "newer")
C = Committable("counts", 0, 1, ("out/0",), "(0, 0, 0)/1000")


def checkpoint(number: int, owner: Owner = OLD, *, final: bool = False) -> Checkpoint:
    return Checkpoint(owner, number, {"read": (StoredState({"position": number}),)}, final)


def run(objects: dict[str, Record], **options: Any) -> Any:
    world = World(objects=dict(objects))
    runner = Runner(recover("mine", **options), "recover")  # type: ignore[arg-type]
    runner.run(world)
    if isinstance(runner.result, BaseException):
        raise runner.result
    return runner.result, world.objects


def log(*records: Record, first: int = 0) -> dict[str, Record]:
    """Slots with these records, each checkpoint done, and the attempts that wrote them."""
    objects: dict[str, Record] = {attempt_key(0): AttemptRecord(OLD)}
    for slot, record in enumerate(records, first):
        objects[slot_key(slot)] = record
        if isinstance(record, Checkpoint):
            objects[done_key(slot)] = Done(record.owner, slot)
    return objects


ME = Owner(1, "mine")


def test_an_empty_storage_starts_at_the_start() -> None:
    recovered, objects = run({})
    assert recovered == Recovered(Owner(0, "mine"), head=0)
    assert recovered.next_checkpoint == 1
    assert objects == {
        "attempt-0000000000": AttemptRecord(Owner(0, "mine")),
        "m-0000000000": Seal(Owner(0, "mine")),
    }


def test_the_base_is_the_newest_checkpoint() -> None:
    recovered, objects = run(log(Seal(OLD), checkpoint(1), checkpoint(2), Seal(OLD)))
    assert recovered == Recovered(ME, head=4, base=checkpoint(2), base_slot=2)
    assert recovered.next_checkpoint == 3
    assert objects[slot_key(4)] == Seal(ME)


def test_slots_below_the_base_need_not_exist() -> None:
    recovered, _ = run(log(checkpoint(8), Seal(OLD), first=20))
    assert (recovered.head, recovered.base_slot) == (22, 20)


def test_a_restore_record_is_a_base() -> None:
    record = Restore(OLD, "s3://savepoints/1", 7)
    recovered, _ = run(log(checkpoint(7), record))
    assert (recovered.base, recovered.base_slot, recovered.next_checkpoint) == (record, 1, 8)


def test_a_rollback_leads_to_its_base() -> None:
    objects = log(checkpoint(1), checkpoint(2), Seal(OLD), Rollback(OLD, 1, 0))
    del objects[done_key(1)]
    recovered, _ = run(objects)
    assert (recovered.base, recovered.base_slot, recovered.head) == (checkpoint(1), 0, 4)


def test_a_rollback_to_the_start() -> None:
    recovered, _ = run(log(Seal(OLD), checkpoint(1), Rollback(OLD, 1, None)))
    assert (recovered.base, recovered.base_slot, recovered.head) == (None, None, 3)


def test_a_finished_job_is_recognised_and_a_restored_one_goes_on() -> None:
    assert run(log(checkpoint(1, final=True)))[0].finished
    assert not run(log(checkpoint(1)))[0].finished
    assert not run(log(checkpoint(1, final=True), Restore(OLD, "", 1)))[0].finished


def test_a_slot_of_a_newer_attempt_ends_it() -> None:
    with pytest.raises(Superseded):
        run(log(checkpoint(1), Seal(NEWER)))


def test_a_log_without_its_base_is_an_error_and_never_an_empty_start() -> None:
    with pytest.raises(StorageError, match="the last checkpoint is gone"):
        run(log(Seal(OLD), first=5))


def test_a_rollback_without_its_base_is_an_error() -> None:
    with pytest.raises(StorageError, match="the last checkpoint is gone"):
        run(log(Rollback(OLD, 3, 2), first=4))


def test_a_wrong_object_in_the_log_is_an_error() -> None:
    with pytest.raises(StorageError, match="found a Done record, which does not belong there"):
        run({slot_key(0): Done(OLD, 0)})


def test_a_foreign_object_in_the_log_is_an_error() -> None:
    with pytest.raises(StorageError, match="is not a name that raystream gives"):
        run({"m-backup": Seal(OLD)})


def test_attempt_numbers_have_no_gaps() -> None:
    recovered, _ = run({attempt_key(k): AttemptRecord(Owner(k, "x")) for k in range(5)})
    assert recovered.owner == Owner(5, "mine")


def test_a_number_that_somebody_takes_first_is_left_to_him() -> None:
    procedure = claim_attempt("mine")
    next(procedure)
    command = procedure.send(())
    assert isinstance(command, Create)
    assert command.key == attempt_key(0)
    procedure.send(Put.EXISTS)
    command = procedure.send(AttemptRecord(Owner(0, "faster")))
    assert isinstance(command, Create)
    assert command.key == attempt_key(1)
    with pytest.raises(StopIteration) as stop:
        procedure.send(Put.CREATED)
    assert stop.value.value == Owner(1, "mine")


def test_a_lost_answer_is_recognised_by_the_nonce() -> None:
    procedure = claim_attempt("mine")
    next(procedure)
    procedure.send(())
    procedure.send(Put.UNKNOWN)
    procedure.send(0.0)
    procedure.send(Put.EXISTS)
    with pytest.raises(StopIteration) as stop:
        procedure.send(AttemptRecord(Owner(0, "mine")))
    assert stop.value.value == Owner(0, "mine")


def test_a_slot_taken_before_our_seal_becomes_the_base() -> None:
    faster = replace(checkpoint(1), steps={"w": (StoredState(committable=C),)})

    def answer(command: Command[Any]) -> Any:
        match command:
            case ListKeys("attempt-"):
                return (attempt_key(0),)
            case ListKeys("m-"):
                return (slot_key(0),)
            case Create("m-0000000001"):
                return Put.EXISTS
            case Create():
                return Put.CREATED
            case Read("m-0000000000"):
                return Seal(OLD)
            case Read("m-0000000001"):
                return faster
            case Commit():
                return (Verdict.COMMITTED,)
        return None

    world = World()
    runner = Runner(recover("mine"), "r")  # type: ignore[arg-type]
    runner.run(world, lambda _, command: answer(command))
    names = [line.partition(" -> ")[0].removeprefix("r ") for line in world.story]
    assert runner.result == Recovered(ME, head=2, base=faster, base_slot=1)
    assert names == [
        "list attempts",
        "create attempt",
        "list log",
        "read log",
        "recover seal",
        "read seal",
        "recover seal",
        "recover look for newer",
        "recover read done",
        "recover commit",
        "recover before done",
    ]


def anything(command: Command[Any], story: Sequence[Any]) -> Sequence[Any]:
    """All answers of a world that changes under our feet, a bounded number of times."""
    odd = sum(1 for _, answer in story if answer is Put.UNKNOWN or answer is Put.EXISTS)
    vanished = sum(1 for c, a in story if c.name in {"read log", "read seal"} and a is None)
    match command:
        case ListKeys("attempt-"):
            return [(attempt_key(0),)]
        case ListKeys("m-"):
            return [(slot_key(4), slot_key(5)), (slot_key(5),)]
        case Create("attempt-0000000001") | Create("attempt-0000000002"):
            return [Put.CREATED]
        case Create():
            return [Put.CREATED] + [Put.EXISTS, Put.UNKNOWN] * (odd < 1)
        case Read(name="recover look for newer" | "look for newer"):
            return [None, AttemptRecord(NEWER)]
        case Read(name="read log" | "read seal"):
            others: list[Record | None] = [
                Seal(OLD),
                Seal(ME),
                Seal(NEWER),
                checkpoint(4),
                replace(checkpoint(5), steps={"w": (StoredState(committable=C),)}),
            ]
            if len([1 for c, _ in story if c.name == "read log"]) > 3:
                others = [checkpoint(4)]
            return others + [None] * (vanished < 1)
        case Read():
            return [None, Done(OLD, 5)]
        case Commit():
            return [(Verdict.COMMITTED,)]
        case Sleep():
            return [0.0]
    raise AssertionError(command)


def test_every_answer_at_every_yield() -> None:
    outcomes: set[str] = set()
    n_paths = 0
    for path in explore(lambda: recover("mine"), anything):
        n_paths += 1
        outcomes.add(type(path.outcome).__name__)
        names = [command.name for command, _ in path.story]
        assert set(names) <= set(POINTS)
        seen_newer = [
            answer
            for _, answer in path.story
            if isinstance(answer, Seal | AttemptRecord) and answer.owner == NEWER
        ]
        if seen_newer:
            assert isinstance(path.outcome, Superseded)
            continue
        assert isinstance(path.outcome, Recovered), path
        # sealed, then looked for a newer attempt, and only then anything was sent
        sealed = max(i for i, name in enumerate(names) if name == "recover seal")
        looked = names.index("recover look for newer")
        assert sealed < looked
        sent = [i for i, name in enumerate(names) if name == "recover commit"]
        assert all(i > looked for i in sent)
        # never ready with a checkpoint whose transactions are open
        if path.outcome.base_slot is not None:
            done = [a for c, a in path.story if c.name == "recover read done"][-1]
            created = [a for c, a in path.story if c.name == "recover before done"]
            assert done is not None or created[-1] is not Put.UNKNOWN
    assert n_paths > 500
    assert outcomes == {"Recovered", "Superseded"}


def test_a_restore_is_a_record_after_recovery() -> None:
    recovered, objects = run(log(checkpoint(6), checkpoint(7)))
    state = StoredState({"x": 1}, (SegmentRef("a", "state/a0/s/0/a.arrow", 1, "x"),), C)
    world = World(objects=objects)
    runner = Runner(restore(recovered, "s3://s/1", {"s": (state,)}, {"j": 1}), "r")  # type: ignore[arg-type]
    runner.run(world)
    record = Restore(ME, "s3://s/1", 7, {"s": (replace(state, committable=None),)}, {"j": 1})
    assert runner.result == Recovered(ME, head=3, base=record, base_slot=3)
    assert runner.result.next_checkpoint == 8
    again = Runner(recover("later"), "again")  # type: ignore[arg-type]
    again.run(world)
    assert again.result.base == record  # V8: the next crash does not undo it


def test_from_scratch_deletes_nothing() -> None:
    recovered, objects = run(log(checkpoint(7)))
    before = dict(objects)
    world = World(objects=objects)
    runner = Runner(from_scratch(recovered), "r")  # type: ignore[arg-type]
    runner.run(world)
    assert before.items() <= world.objects.items()
    assert runner.result.base == Restore(ME, "", 7)
    assert runner.result.next_checkpoint == 8


def test_a_restore_on_a_taken_slot_is_superseded() -> None:
    recovered, objects = run(log(checkpoint(7)))
    world = World(objects={**objects, slot_key(2): Seal(NEWER)})
    runner = Runner(from_scratch(recovered), "r")  # type: ignore[arg-type]
    runner.run(world)
    assert isinstance(runner.result, Superseded)
