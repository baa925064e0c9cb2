"""A crash at every command, before and after it took effect, and again during recovery."""

from __future__ import annotations

from typing import Any

import pytest

from raystream.checkpoint.protocol.commands import POINTS
from tests.checkpoint.protocol.world import Runner, World, attempt


def run_until(world: World, runner: Runner, n: int, *, performed: bool) -> None:
    """Perform n commands, maybe one more whose answer is never seen, then crash."""
    for _ in range(n):
        if not runner.alive:
            return
        runner.step(world)
    if runner.alive:
        if performed:
            world.perform(runner.waiting)  # type: ignore[arg-type]
        runner.crash()


def length() -> int:
    world = World()
    runner = Runner(attempt(world, "n0"), "a0")
    runner.run(world)
    return len(world.story)


def finish(world: World, nonce: str) -> Runner:
    runner = Runner(attempt(world, nonce), nonce)
    runner.run(world)
    assert runner.result == "finished", (runner.result, world.story)
    world.check()
    return runner


def test_an_undisturbed_attempt_writes_everything_once() -> None:
    world = World()
    finish(world, "n0")
    assert sorted(world.visible) == [0, 1, 2, 3]
    assert set(world.objects) == {"attempt-0000000000", "m-0000000002", "done-0000000002"}


def test_a_finished_job_is_recognised() -> None:
    world = World()
    finish(world, "n0")
    before = list(world.visible)
    finish(world, "n1")
    assert world.visible == before


@pytest.mark.parametrize("performed", [False, True])
def test_a_crash_at_every_command(performed: bool) -> None:
    for n in range(length() + 1):
        world = World()
        run_until(world, Runner(attempt(world, "n0"), "a0"), n, performed=performed)
        finish(world, "n1")


@pytest.mark.parametrize("performed", [False, True])
def test_a_second_crash_at_every_command_of_the_recovery(performed: bool) -> None:
    n_runs = 0
    for n in range(length() + 1):
        for m in range(0, 45):
            world = World()
            run_until(world, Runner(attempt(world, "n0"), "a0"), n, performed=performed)
            run_until(world, Runner(attempt(world, "n1"), "a1"), m, performed=True)
            finish(world, "n2")
            n_runs += 1
    assert n_runs > 1000


def test_twenty_crashes_of_recovery_in_a_row() -> None:
    for n in range(length()):
        world = World()
        run_until(world, Runner(attempt(world, "n0"), "a0"), n, performed=True)
        for i in range(20):
            run_until(world, Runner(attempt(world, f"r{i}"), f"r{i}"), i % 7, performed=True)
        finish(world, "last")


def test_a_zombie_that_wakes_after_the_newer_attempt_finished() -> None:
    for n in range(length()):
        world = World()
        zombie = Runner(attempt(world, "n0"), "zombie")
        for _ in range(n):
            zombie.step(world)
        finish(world, "n1")
        zombie.run(world)
        world.check()


def test_every_command_of_a_run_has_a_known_name() -> None:
    seen: set[str] = set()
    for n in range(length()):
        world = World()
        run_until(world, Runner(attempt(world, "n0"), "a0"), n, performed=True)
        runner: Any = Runner(attempt(world, "n1"), "a1")
        while runner.alive:
            seen.add(runner.waiting.name)
            runner.step(world)
    assert seen - {"init", "produce"} <= set(POINTS)
    assert {"recover seal", "recover mid commit", "before done", "create manifest"} <= seen
