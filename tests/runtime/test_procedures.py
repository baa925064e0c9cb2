from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from raystream.checkpoint.keys import attempt_key
from raystream.checkpoint.protocol.commands import (
    AbortStrays,
    CheckPrepared,
    Commit,
    Create,
    Delete,
    ListKeys,
    Read,
    Sleep,
)
from raystream.checkpoint.protocol.procedure import Procedure, ask
from raystream.checkpoint.protocol.recover import recover
from raystream.checkpoint.records import AttemptRecord, Committable, Owner
from raystream.checkpoint.verdicts import Problem, Put, Verdict
from raystream.errors import ConfigurationError, StorageError
from raystream.runtime.procedures import (
    STORAGE_TRIES,
    StorageUnavailable,
    confirm_storage,
    run_procedure,
)
from raystream.storage.memory import MemoryStore
from raystream.storage.open import STORE_KEY, store_id
from raystream.time.clock import VirtualClock
from tests.runtime.world import Broker, FakeCommitter

RECORD = AttemptRecord(Owner(0, "nonce"))
KEY = attempt_key(0)


class Stage:
    """Runs procedures against memory, and notes the points and sleeps."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = VirtualClock()
        self.points: list[str] = []
        self.slept: list[float] = []
        self.committers = {name: FakeCommitter(Broker()) for name in ("a", "b")}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    def run(self, procedure: Procedure[Any]) -> Any:
        return run_procedure(
            procedure,
            self.store,
            self.committers,
            self.clock,
            point=self.points.append,
            sleep=self.sleep,
        )


@pytest.fixture
def stage() -> Stage:
    return Stage()


def committable(sink: str, subtask: int) -> Committable:
    return Committable(sink, subtask, 1, (), f"{sink}{subtask}")


def test_each_command_is_a_point_before_and_after(stage: Stage) -> None:
    def procedure() -> Procedure[str]:
        assert (yield from ask(Create(KEY, RECORD, "create attempt"))) is Put.CREATED
        assert (yield from ask(Read(KEY, "read attempt"))) == RECORD
        return "done"

    assert stage.run(procedure()) == "done"
    assert stage.points == [
        "create attempt",
        "create attempt done",
        "read attempt",
        "read attempt done",
    ]


def test_storage_commands(stage: Stage) -> None:
    def procedure() -> Procedure[None]:
        assert (yield from ask(Read(KEY, "read"))) is None
        yield from ask(Create(KEY, RECORD, "create"))
        assert (yield from ask(Create(KEY, RECORD, "create"))) is Put.EXISTS
        assert (yield from ask(ListKeys("attempt-", "list"))) == (KEY,)
        yield from ask(Delete((KEY,)))
        assert (yield from ask(ListKeys("attempt-", "list"))) == ()

    stage.run(procedure())


def test_sleep_answers_the_time_after_it(stage: Stage) -> None:
    assert stage.run(ask(Sleep(2.5))) == 2.5
    assert stage.slept == [2.5]


def test_verdicts_come_in_the_order_of_the_committables_whatever_their_sinks(
    stage: Stage,
) -> None:
    mine = [committable("a", 0), committable("b", 0), committable("a", 1), committable("b", 1)]
    for one in mine:
        stage.committers[one.sink].broker.final[one.handle] = (
            Verdict.LOST if one.subtask else Verdict.COMMITTED
        )
    verdicts = stage.run(ask(Commit(tuple(mine), "commit")))
    assert verdicts == (Verdict.COMMITTED, Verdict.COMMITTED, Verdict.LOST, Verdict.LOST)


def test_what_was_prepared_is_checked_by_each_sink(stage: Stage) -> None:
    one, other = committable("a", 0), committable("b", 0)
    stage.committers["a"].broker.open[one.handle] = []
    assert stage.run(ask(CheckPrepared((one, other)))) == (Problem(other, "not open"),)


def test_what_waits_for_its_turn_is_checked_with_the_age_that_it_has_then(stage: Stage) -> None:
    one = replace(committable("a", 0), age_s=2.0)
    seen: list[float] = []
    check = stage.committers["a"].check
    stage.committers["a"].check = lambda cs: (seen.extend(c.age_s for c in cs), check(cs))[1]  # type: ignore[method-assign]
    stage.clock.advance(7.5)
    stage.run(ask(CheckPrepared((one,), at=1.5)))
    stage.run(ask(CheckPrepared((one,))))
    assert seen == [8.0, 2.0]


def test_strays_of_all_sinks_are_added_up(stage: Stage) -> None:
    for number, committer in enumerate(stage.committers.values()):
        committer.abort_strays = lambda before, left=number: left + before  # type: ignore
    assert stage.run(ask(AbortStrays(3))) == 0 + 3 + 1 + 3


def test_a_checkpoint_of_a_sink_that_is_gone_says_what_to_do(stage: Stage) -> None:
    with pytest.raises(ConfigurationError, match="'old', which is gone; run the job once with"):
        stage.run(ask(Commit((committable("old", 0),), "recover commit")))


def test_a_put_that_fails_is_unknown_and_the_protocol_repeats_it(stage: Stage) -> None:
    truth, failures = stage.store.create, iter([True, True, False])

    def create(key: str, data: bytes) -> Put:
        if next(failures, False):
            what = "connection reset"
            raise StorageError(what)
        return truth(key, data)

    stage.store.create = create  # type: ignore[method-assign]
    assert stage.run(recover("nonce")).owner == Owner(0, "nonce")
    assert stage.points.count("create attempt") == 3
    assert stage.slept == [0.05, 0.1]


def test_reads_are_repeated_while_storage_is_out_of_reach(stage: Stage) -> None:
    failures = iter([True] * 3)
    truth = stage.store.get

    def get(key: str) -> bytes | None:
        if next(failures, False):
            what = "connection reset"
            raise StorageError(what)
        return truth(key)

    stage.store.get = get  # type: ignore[method-assign]
    assert stage.run(ask(Read(KEY, "read attempt"))) is None
    assert stage.slept == [0.1, 0.2, 0.4]


def test_an_outage_is_no_damage(stage: Stage) -> None:
    def broken(prefix: str) -> Sequence[str]:
        what = "connection reset"
        raise StorageError(what)

    stage.store.list = broken  # type: ignore
    with pytest.raises(StorageUnavailable, match="connection reset"):
        stage.run(ask(ListKeys("m-", "list log")))
    assert len(stage.slept) == STORAGE_TRIES


def test_a_damaged_record_is_a_clear_stop_without_a_retry(stage: Stage) -> None:
    stage.store.create(KEY, b"{}\n{}")
    with pytest.raises(StorageError, match="damaged"):
        stage.run(ask(Read(KEY, "read attempt")))
    assert stage.slept == []


def test_a_procedure_is_closed_when_a_call_raises(stage: Stage) -> None:
    closed: list[bool] = []

    def procedure() -> Procedure[None]:
        try:
            yield from ask(Commit((committable("old", 0),), "commit"))
        finally:
            closed.append(True)

    with pytest.raises(ConfigurationError):
        stage.run(procedure())
    assert closed == [True]


@pytest.mark.parametrize("content", [None, b"{}", b'{"raystream_store": 1, "id": "00000000"}'])
def test_a_storage_that_was_removed_or_replaced_is_not_recovered_from(
    stage: Stage, content: bytes | None
) -> None:
    identity = store_id(stage.store)
    confirm_storage(stage.store, identity, stage.slept.append)
    stage.store.delete([STORE_KEY])
    if content is not None:
        stage.store.create(STORE_KEY, content)
    with pytest.raises(StorageError, match="not the checkpoint storage that the run began with"):
        confirm_storage(stage.store, identity, stage.slept.append)
    assert stage.store.get(STORE_KEY) == content
    assert stage.slept == []


def test_a_storage_that_is_away_may_still_be_the_one(stage: Stage) -> None:
    def broken(key: str) -> bytes:
        what = "connection reset"
        raise StorageError(what)

    stage.store.get = broken  # type: ignore
    with pytest.raises(StorageUnavailable, match="connection reset"):
        confirm_storage(stage.store, "00000000", stage.slept.append)
    assert len(stage.slept) == STORAGE_TRIES
