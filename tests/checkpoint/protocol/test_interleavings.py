"""Attempts interleaved at random: crashes, zombies, lost answers, late puts, stale EndTxn.

A seed reproduces a run. The mutants leave out one rule each, by changing a command or its answer;
the same check must then fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from raystream.checkpoint.protocol.commands import Abort, AbortStrays, Commit, Create, Delete, Read
from raystream.checkpoint.protocol.procedure import Command
from raystream.checkpoint.records import AttemptRecord, Checkpoint, Seal
from raystream.checkpoint.verdicts import AbortVerdict, Put, Verdict
from raystream.errors import OutputLost, Superseded
from tests.checkpoint.protocol.world import (
    Runner,
    State,
    Violation,
    World,
    attempt,
    honest,
    parse,
)

Mutant = Callable[["Simulation", Runner, Command[Any]], Any]


class Simulation:
    """One seeded run: a fault-ridden part, then a fresh attempt that is left alone."""

    def __init__(self, seed: int, *, timeouts: bool = False, mutant: Mutant | None = None) -> None:
        self.random = random.Random(seed)
        self.world = World(n_records=6, timeouts=timeouts)
        self.runners: list[Runner] = []
        self.mutant = mutant
        self.queued: list[tuple[Runner, Command[Any]]] = []
        self.fault_rate = self.random.choice([0.0, 0.05, 0.3])
        self.start_rate = self.random.choice([0.02, 0.1, 0.3])
        self.crash_rate = self.random.choice([0.0, 0.01, 0.05])

    def run(self) -> None:
        for _ in range(self.random.choice([60, 150, 300])):
            self.something()
        self.alone()
        for _ in range(100):
            self.aftermath()
        self.world.check()

    def something(self) -> None:
        alive = [runner for runner in self.runners if runner.alive]
        if len(self.runners) < 5 and (not alive or self.random.random() < self.start_rate):
            self.start()
            return
        if not alive:
            self.nature()
            return
        # bursts: whoever runs continues for a while, the others sleep
        runner = self.random.choice(alive)
        for _ in range(self.random.choice([1, 2, 5, 15])):
            if not runner.alive:
                return
            self.step(runner)
            if self.random.random() < 0.1:
                self.nature()
            if self.random.random() < self.crash_rate:
                runner.crash()

    def start(self, *, accept: bool = False) -> Runner:
        name = f"n{len(self.runners)}"
        sinks = self.random.choice([1, 2, 2, 3])  # rescaled between attempts
        runner = Runner(attempt(self.world, name, accept=accept, sinks=sinks), name)
        self.runners.append(runner)
        return runner

    def step(self, runner: Runner) -> None:
        runner.step(self.world, lambda world, command: self.perform(runner, command))
        self.judge(runner)

    def judge(self, runner: Runner) -> None:
        if isinstance(runner.result, BaseException):
            allowed = (Superseded, OutputLost) if self.world.timeouts else (Superseded,)
            if not isinstance(runner.result, allowed):
                raise Violation(f"{runner.name} ended with {runner.result!r}")

    def perform(self, runner: Runner, command: Command[Any]) -> Any:
        if self.mutant is not None:
            answer = self.mutant(self, runner, command)
            if answer is not NotImplemented:
                return answer
        return self.faulty(command)

    def faulty(self, command: Command[Any]) -> Any:
        if self.random.random() >= self.fault_rate:
            return honest(self.world, command)
        fate = self.random.choice(["applied", "late", "never"])
        match command:
            case Create(key, record):
                if fate == "applied":
                    honest(self.world, command)
                if fate == "late":
                    self.world.late.append((key, record))
                return Put.UNKNOWN
            case Commit(committables):
                answers = []
                for one in committables:
                    if self.random.random() < 0.5:
                        answers.append(self.world.commit(one))
                        continue
                    if fate == "applied":
                        self.world.commit(one)
                    else:
                        self.world.sent.append(one)
                    answers.append(Verdict.AGAIN)
                return tuple(answers)
            case Abort(committables):
                if fate == "applied":
                    honest(self.world, command)
                return (AbortVerdict.AGAIN,) * len(committables)
        return honest(self.world, command)

    def nature(self) -> None:
        """Something happens that no process asked for."""
        world = self.world
        if world.late and self.random.random() < 0.5:
            world.land(self.random.randrange(len(world.late)))
        if world.sent and self.random.random() < 0.5:
            world.commit(self.random.choice(world.sent))  # every EndTxn may arrive again
            world.sent = world.sent[-20:]
        ongoing = [tid for tid, entry in world.ids.items() if entry.state is State.ONGOING]
        if world.timeouts and ongoing and self.random.random() < 0.3:
            world.time_out(self.random.choice(ongoing))
        if world.timeouts and world.ids and self.random.random() < 0.05:
            world.forget(self.random.choice(list(world.ids)))

    def alone(self) -> None:
        """From every state a fresh attempt left alone finishes."""
        accept = False
        for _ in range(10):
            runner = self.start(accept=accept)
            while runner.alive:
                self.step(runner)
            if runner.result == "finished":
                return
            accept = isinstance(runner.result, OutputLost)
            if accept:
                assert "--accept-loss" in str(runner.result)
            elif not self.world.timeouts:
                raise Violation(f"alone, {runner.name} ended with {runner.result!r}")
        raise Violation("ten attempts, each left alone, did not finish")

    def aftermath(self) -> None:
        """Zombies wake up after the end."""
        self.nature()
        for runner in self.runners:
            if runner.alive:
                self.step(runner)


def simulate(seed: int, **options: Any) -> None:
    simulation = Simulation(seed, **options)
    try:
        simulation.run()
    except Violation as violation:
        story = "\n".join(simulation.world.story)
        raise Violation(f"seed {seed}: {violation}\n{story}") from None


@pytest.mark.parametrize("block", range(4))
def test_nothing_is_lost_or_doubled(block: int) -> None:
    for seed in range(block * 400, (block + 1) * 400):
        simulate(seed)


@pytest.mark.parametrize("block", range(2))
def test_with_timeouts_a_loss_is_told_or_rolled_back(block: int) -> None:
    for seed in range(block * 400, (block + 1) * 400):
        simulate(seed, timeouts=True)


# --- mutants


def no_resolve(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """Recovery takes it for granted that the transactions are committed."""
    if isinstance(command, Commit) and command.name.startswith("recover"):
        return (Verdict.COMMITTED,) * len(command.committables)
    return NotImplemented


def no_seal(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """The new attempt does not seal the log."""
    if isinstance(command, Create) and isinstance(command.record, Seal):
        return Put.CREATED
    return NotImplemented


def unconditional_put(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """The manifest is put whether or not somebody has the slot."""
    if isinstance(command, Create) and command.name == "create manifest":
        simulation.world.objects.pop(command.key, None)
        return simulation.world.create(command.key, command.record)
    return NotImplemented


def done_before_answers(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """`done` is written when EndTxn was sent, not when it was answered."""
    mine = [other for owner, other in simulation.queued if owner is runner]
    simulation.queued = [one for one in simulation.queued if one[0] is not runner]
    if not (isinstance(command, Create) and command.name.endswith("before done")):
        for other in mine:
            honest(simulation.world, other)
    else:
        simulation.queued += [(runner, other) for other in mine]
    if isinstance(command, Commit):
        simulation.queued.append((runner, command))
        return (Verdict.COMMITTED,) * len(command.committables)
    return NotImplemented


def unknown_is_failed(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """A manifest put with unknown outcome is taken as failed: the transactions are aborted."""
    if not (isinstance(command, Create) and isinstance(command.record, Checkpoint)):
        return NotImplemented
    answer = simulation.faulty(command)
    if answer is Put.UNKNOWN:
        for one in command.record.committables():
            simulation.world.abort(one)
            simulation.world.time_out(parse(one.handle)[0])
        return Put.EXISTS
    return answer


def no_look_for_newer(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """Nobody looks for a newer attempt."""
    if isinstance(command, Read) and command.name.endswith("look for newer"):
        return None
    return NotImplemented


def strays_before_resolve(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """Transactions of older attempts are aborted before the named ones were committed."""
    if isinstance(command, Create) and isinstance(command.record, AttemptRecord):
        simulation.world.abort_strays(command.record.owner.attempt)
    return NotImplemented


def stale_verdicts(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """A negative answer is a verdict at once: `done` is not read again."""
    if isinstance(command, Read) and command.name in {"re-read done", "recover look for newer"}:
        return None
    if isinstance(command, Read) and command.name == "look for newer":
        return None
    return NotImplemented


def attempts_deleted(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """Cleaning up deletes attempt keys too, as if they were old files."""
    if isinstance(command, Delete):
        attempts = sorted(key for key in simulation.world.objects if key.startswith("attempt-"))
        for key in attempts:
            simulation.world.objects.pop(key)
    return NotImplemented


def newest_done_deleted(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """Cleaning up deletes the `done` of the newest checkpoint."""
    if isinstance(command, Delete):
        for key in [key for key in simulation.world.objects if key.startswith("done-")]:
            simulation.world.objects.pop(key)
    return NotImplemented


def init_before_done(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """Ids are used again (step 8) before `done` is durable."""
    if isinstance(command, Create) and command.name == "before done":
        world = simulation.world
        for tid in [tid for tid, entry in world.ids.items() if entry.state is State.COMMITTED]:
            if tid[0] == command.record.owner.attempt:
                world.init(tid)
    return NotImplemented


def commit_before_manifest(simulation: Simulation, runner: Runner, command: Command[Any]) -> Any:
    """EndTxn is sent before the manifest exists."""
    if isinstance(command, Create) and isinstance(command.record, Checkpoint):
        for one in command.record.committables():
            simulation.world.commit(one)
    return NotImplemented


MUTANTS = [
    init_before_done,
    commit_before_manifest,
    no_resolve,
    no_seal,
    unconditional_put,
    done_before_answers,
    unknown_is_failed,
    no_look_for_newer,
    strays_before_resolve,
    stale_verdicts,
    attempts_deleted,
    newest_done_deleted,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_check_finds_a_protocol_with_one_rule_left_out(mutant: Mutant) -> None:
    for seed in range(3000):
        try:
            simulate(seed, mutant=mutant)
        except Violation:
            return
    pytest.fail(f"{mutant.__doc__} Nobody noticed.")


def test_a_stray_abort_in_the_wrong_hands_is_noticed() -> None:
    world = World()
    runner = Runner(attempt(world, "n0"), "n0")
    while runner.waiting is None or runner.waiting.name != "commit":
        runner.step(world)
    with pytest.raises(Violation, match="which a manifest names"):
        world.perform(AbortStrays(99))
