from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import count
from threading import RLock
from typing import Any

import pytest

from raystream.checkpoint.keys import ATTEMPTS
from raystream.checkpoint.verdicts import Verdict
from raystream.errors import StorageError
from raystream.job.messages import StopKind
from raystream.job.spec import CheckpointSettings
from tests.runtime.world import TOTAL, Crash, FakeWorkers, World


def crash_at(number: int) -> tuple[list[str], object]:
    """A point that ends the process the `number`-th time it is reached (0-based)."""
    passed: list[str] = []

    def point(name: str) -> None:
        passed.append(name)
        if len(passed) == number + 1:
            raise Crash(name)

    return passed, point


def test_a_bounded_run_is_exact_and_its_log_well_formed() -> None:
    world = World()
    outcome = world.drive(world.coordinator())
    assert (outcome.kind, outcome.rows_in, outcome.restarts) == ("finished", 2 * TOTAL, 0)
    world.assert_exact()
    world.assert_log()
    assert world.workers.closed
    assert world.workers.notified == list(range(1, (outcome.checkpoint or 0) + 1))
    assert all(committer.closed for committer in world.committers)


def test_a_run_after_a_finished_one_reads_on() -> None:
    world = World()
    first = world.drive(world.coordinator())
    again = world.drive(world.coordinator())
    assert again.kind == "finished"
    assert again.checkpoint == (first.checkpoint or 0) + 1
    world.assert_exact()
    world.assert_log()


def test_a_subtask_may_die_after_any_call_of_the_workers() -> None:
    calls = 0
    for fail_at in count():
        world = World()
        outcome = world.drive(world.coordinator(fail_at=fail_at))
        assert outcome.kind == "finished"
        world.assert_exact()
        world.assert_log()
        attempts = len(world.records(ATTEMPTS))
        assert attempts == outcome.restarts + 1
        if outcome.restarts == 0 and fail_at >= len(world.workers.calls) - 1:
            break
        calls += 1
    assert calls >= 8


def test_the_coordinator_may_die_at_any_point_of_any_procedure() -> None:
    names = set()
    for number in count():
        world = World()
        passed, point = crash_at(number)
        try:
            world.drive(world.coordinator(point=point))  # type: ignore[arg-type]
        except Crash:
            names.add(passed[-1])
            world.drive(world.coordinator())
        else:
            break
        world.assert_exact()
        world.assert_log()
    assert {"create attempt", "recover seal", "check prepared", "create manifest"} <= names
    assert {"commit", "commit done", "before done", "before done done", "abort strays"} <= names


def test_the_coordinator_may_die_twice_in_a_row() -> None:
    for first in range(8, 40, 3):
        for second in range(0, 24, 2):
            world = World()
            for number in (first, second):
                _, point = crash_at(number)
                try:
                    world.drive(world.coordinator(point=point))  # type: ignore[arg-type]
                except Crash:
                    continue
            world.drive(world.coordinator())
            world.assert_exact()


def dies_before_phase_two(name: str) -> None:
    if name == "commit":
        raise Crash(name)


def test_transactions_that_expired_before_phase_two_are_rolled_back_and_replayed() -> None:
    world = World()
    with pytest.raises(Crash):
        world.drive(world.coordinator(point=dies_before_phase_two))
    for handle in list(world.broker.open):
        world.broker.abort(handle)
    assert world.drive(world.coordinator()).kind == "finished"
    world.assert_exact()


def test_without_resolve_in_recovery_rows_are_missing() -> None:
    """Negative control: the check finds what a broken protocol does."""
    world = World()
    with pytest.raises(Crash):
        world.drive(world.coordinator(point=dies_before_phase_two))
    loop, truth = world.coordinator(), world.broker.commit
    world.broker.commit = lambda handle: (  # type: ignore[method-assign]
        truth(handle) if handle.split(".")[0] != "0" else Verdict.COMMITTED
    )
    assert world.drive(loop).kind == "finished"
    with pytest.raises(AssertionError):
        world.assert_exact()


def test_a_second_coordinator_ends_the_first_as_superseded() -> None:
    world = World()
    first = world.coordinator()
    workers = world.workers
    for _ in range(15):
        workers.work()
        first.step()
        world.clock.advance(0.01)
    world.drive(world.coordinator())
    world.workers = workers
    outcome = world.drive(first)
    assert (outcome.kind, outcome.exit_code) == ("superseded", 3)
    world.assert_exact()
    world.assert_log()


def test_who_was_fenced_does_not_fence_back() -> None:
    """V7: the newer attempt aborted our sinks' transactions; we end instead of taking over."""
    world = World(bounded=False)
    first = world.coordinator(fail_at=6)
    workers = world.workers
    while len(workers.calls) < 6:
        workers.work()
        first.step()
        world.clock.advance(0.01)
    second = world.coordinator()
    for _ in range(3):
        second.step()
    attempts = len(world.records(ATTEMPTS))
    world.workers = workers
    assert world.drive(first).kind == "superseded"
    assert len(world.records(ATTEMPTS)) == attempts


@pytest.mark.parametrize("kind", [StopKind.STOP, StopKind.DRAIN])
def test_stop_commits_what_was_read_and_the_next_run_reads_on(kind: StopKind) -> None:
    world = World()
    outcome = world.drive(world.coordinator(), stop=kind)
    assert outcome.kind == "stopped"
    assert 0 < len(world.broker.output) < 2 * TOTAL
    assert not any(rows for rows in world.broker.open.values())
    assert world.drive(world.coordinator()).kind == "finished"
    world.assert_exact()


def test_cancel_commits_nothing_more_and_the_next_run_goes_on() -> None:
    world = World()
    outcome = world.drive(world.coordinator(), stop=StopKind.CANCEL)
    assert (outcome.kind, outcome.exit_code) == ("cancelled", 4)
    assert not world.broker.open
    assert world.drive(world.coordinator()).kind == "finished"
    world.assert_exact()


def test_retained_checkpoints_only_are_kept() -> None:
    world = World(checkpoint=CheckpointSettings("memory://", interval=0.05, retain=1))
    outcome = world.drive(world.coordinator())
    assert (outcome.checkpoint or 0) > 2
    assert len(world.store.list("m-")) == 1
    assert len(world.store.list("done-")) == 1
    world.assert_exact()


def test_workers_that_raise_fail_the_attempt() -> None:
    world = World()
    loop = world.coordinator()
    start, failed = world.workers.start, []

    def once(attempt: int) -> None:
        if not failed:
            failed.append(attempt)
            raise OSError("no cluster")
        start(attempt)

    world.workers.start = once  # type: ignore[method-assign]
    outcome = world.drive(loop)
    assert (outcome.kind, outcome.restarts) == ("finished", 1)
    assert loop.status is not None
    assert loop.status.restarts[0].cause == "coordinator failed: Start: OSError: no cluster"


def test_from_scratch_reads_everything_again_once() -> None:
    world = World()
    world.drive(world.coordinator())
    again = World(from_scratch=True)
    again.store, again.broker = world.store, world.broker
    outcome = again.drive(again.coordinator(fail_at=5))
    assert (outcome.kind, outcome.restarts) == ("finished", 1)
    assert sorted(again.broker.output) == sorted([*range_of(0), *range_of(1)] * 2)


def range_of(index: int) -> list[tuple[int, int]]:
    return [(index, number) for number in range(TOTAL)]


def test_storage_that_can_not_be_used_is_said_at_once() -> None:
    world = World()

    def broken(key: str) -> bytes | None:
        what = "permission denied"
        raise StorageError(what, "/data")

    world.store.get = broken  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="permission denied"):
        world.coordinator()


def test_with_threads_of_its_own() -> None:
    """As in the coordinator actor: `run` in a thread, procedures on another."""
    world = World()
    with ThreadPoolExecutor(1) as protocol, ThreadPoolExecutor(1) as control:
        loop = world.coordinator(background=protocol)
        one_at_a_time(world.workers)
        ended = control.submit(loop.run)
        for _ in range(5000):
            world.clock.advance(0.002)
            world.workers.work()
            if wait([ended], 0.002).done:
                break
        loop.request_stop(StopKind.CANCEL)  # if it did not end, the next line says so
        assert ended.result(5).kind == "finished"
    world.assert_exact()
    world.assert_log()


def one_at_a_time(workers: FakeWorkers) -> None:
    """The test's thread and the loop's thread take turns."""
    lock = RLock()

    def locked(call: Callable[..., Any]) -> Callable[..., Any]:
        def taking_turns(*args: Any, **kwargs: Any) -> Any:
            with lock:
                return call(*args, **kwargs)

        return taking_turns

    for name in ("open", "connect", "start", "trigger", "notify_committed", "ping", "work"):
        setattr(workers, name, locked(getattr(workers, name)))
