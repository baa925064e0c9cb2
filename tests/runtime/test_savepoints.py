"""Savepoints through the control loop: taken of a running job, and started from, crash or not."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from raystream.checkpoint.keys import DONES, SLOTS
from raystream.checkpoint.records import Restore
from raystream.errors import ConfigurationError, RaystreamError
from raystream.job.messages import StopKind
from raystream.runtime.control import ControlLoop
from raystream.storage.open import open_store
from raystream.storage.savepoints import SAVEPOINT_KEY, read_savepoint
from tests.conftest import unique
from tests.runtime.test_control import crash_at, range_of
from tests.runtime.world import TOTAL, Crash, World


def place() -> str:
    return f"memory://{unique('savepoint')}"


def turn(world: World, loop: ControlLoop, turns: int = 1) -> None:
    for _ in range(turns):
        world.workers.work()
        loop.step()
        world.clock.advance(0.01)


def answered(world: World, loop: ControlLoop, answer: Future[Any]) -> Any:
    for _ in range(1000):
        if answer.done():
            return answer.result()
        turn(world, loop)
    raise AssertionError(loop.status)


def kept() -> tuple[str, World]:
    """A savepoint of a job that was stopped with it in the middle of its input, and its world."""
    world, address = World(), place()
    loop = world.coordinator()
    turn(world, loop, 8)
    loop.request_stop(StopKind.STOP, address)
    outcome = world.drive(loop)
    assert (outcome.kind, outcome.savepoint) == ("stopped", address)
    assert 0 < len(world.broker.output) < 2 * TOTAL
    return address, world


def from_savepoint(address: str, output_of: World, **changes: Any) -> World:
    """Another job, with storage of its own, that writes where the first one wrote."""
    world = World(savepoint=address, run="r1", **changes)
    world.broker.output = output_of.broker.output
    return world


def test_a_running_job_gives_a_savepoint_and_goes_on() -> None:
    world, address = World(), place()
    loop = world.coordinator()
    turn(world, loop, 5)
    answer, number = loop.request_savepoint(address), loop.request_checkpoint()
    assert answered(world, loop, answer) == address
    savepoint = read_savepoint(open_store(address))
    assert answered(world, loop, number) == savepoint.number
    assert savepoint.committables() == []
    assert world.drive(loop).kind == "finished"
    world.assert_exact()
    world.assert_log()


def test_what_can_not_be_written_is_told_and_the_job_goes_on() -> None:
    address, _ = kept()
    world = World()
    loop = world.coordinator()
    answer = loop.request_savepoint(address)
    with pytest.raises(ConfigurationError, match="there is another savepoint already"):
        answered(world, loop, answer)
    with pytest.raises(ConfigurationError, match="not a checkpoint storage that raystream knows"):
        answered(world, loop, loop.request_savepoint("ftp://x"))
    assert world.drive(loop).kind == "finished"
    world.assert_exact()


def test_after_the_end_everybody_is_told() -> None:
    world = World()
    loop = world.coordinator()
    world.drive(loop)
    for answer in (loop.request_savepoint(place()), loop.request_checkpoint()):
        with pytest.raises(RaystreamError, match="has ended"):
            answer.result(0)


def test_who_waits_for_a_loop_that_is_given_up_is_told() -> None:
    loop = World().coordinator()
    answer = loop.request_checkpoint()
    loop.refuse_all()
    with pytest.raises(RaystreamError, match="has ended"):
        answer.result(0)


def test_another_job_goes_on_from_it_without_the_first_ones_storage() -> None:
    address, first = kept()
    first.store.delete(first.store.list(""))
    world = from_savepoint(address, first)
    outcome = world.drive(world.coordinator())
    assert (outcome.kind, outcome.restarts) == ("finished", 0)
    world.assert_exact()
    [record] = [r for r in world.records(SLOTS).values() if isinstance(r, Restore)]
    assert record.savepoint == address
    assert open_store(address).get(SAVEPOINT_KEY) is not None


def test_it_may_be_deleted_after_the_first_checkpoint() -> None:
    address, first = kept()
    world = from_savepoint(address, first)
    loop = world.coordinator(fail_at=6)
    while not world.records(DONES):
        turn(world, loop)
    assert loop.outcome is None
    place = open_store(address)
    place.delete(place.list(""))
    assert world.drive(loop).restarts == 1
    world.assert_exact()


def test_the_coordinator_may_die_at_any_point_of_a_start_from_a_savepoint() -> None:
    names = set()
    for number in count():
        address, first = kept()
        world = from_savepoint(address, first, claim=True)
        passed, point = crash_at(number)
        try:
            world.drive(world.coordinator(point=point))  # type: ignore[arg-type]
        except Crash:
            names.add(passed[number])
            world.drive(world.coordinator())  # the same run, in a new process
        else:
            break
        world.assert_exact()
        assert open_store(address).list("") == []
    assert {"bring back", "bring back done", "create restore", "create restore done"} <= names
    assert {"discard savepoint", "discard savepoint done", "before done done"} <= names


def test_the_coordinator_may_die_at_any_point_of_a_savepoint() -> None:
    names = set()
    for number in count():
        world, address = World(), place()
        passed, point = crash_at(number)
        loop = world.coordinator(point=point)  # type: ignore[arg-type]
        loop.request_stop(StopKind.STOP, address)
        try:
            world.drive(loop)
        except Crash:
            names.add(passed[number])
            loop.refuse_all()
            world.drive(world.coordinator())
        else:
            break
        world.assert_exact()
    assert {"keep savepoint", "keep savepoint done"} <= names


def test_a_savepoint_that_is_gone_is_refused() -> None:
    world = World(savepoint=place(), run="r1")
    outcome = world.drive(world.coordinator())
    assert (outcome.kind, outcome.exit_code) == ("failed", 2)
    assert "there is no savepoint" in outcome.message
    assert not any(isinstance(r, Restore) for r in world.records(SLOTS).values())


def test_the_same_command_again_restores_again() -> None:
    address, first = kept()
    before = len(first.broker.output)
    world = from_savepoint(address, first)
    world.drive(world.coordinator())
    world.assert_exact()
    world.spec = replace(world.spec, run="r2")
    world.drive(world.coordinator())
    assert len(world.broker.output) == 2 * TOTAL + (2 * TOTAL - before)


def test_an_older_savepoint_is_restored_once_whatever_crashes() -> None:
    """T15, V8: the newer checkpoints in the same log do not come back, also not after a crash."""
    names = set()
    for number in count():
        world, address = World(), place()
        loop = world.coordinator()
        turn(world, loop, 6)
        answered(world, loop, loop.request_savepoint(address))
        at = read_savepoint(open_store(address)).steps["read"]
        world.drive(loop)
        world.assert_exact()
        world.spec = replace(world.spec, savepoint=address, run="r1")
        passed, point = crash_at(number)
        try:
            world.drive(world.coordinator(point=point))  # type: ignore[arg-type]
        except Crash:
            names.add(passed[number])
            world.drive(world.coordinator())
        else:
            break
        again = [(i, n) for i, state in enumerate(at) for n in range(state.header["next"], TOTAL)]
        assert sorted(world.broker.output) == sorted([*range_of(0), *range_of(1), *again])
    assert {"bring back done", "create restore", "create restore done", "commit"} <= names
