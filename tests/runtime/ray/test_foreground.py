"""What a run does when its driver, or Ray under it, dies; drivers are scripts here."""

from __future__ import annotations

import os
import signal
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from raystream.errors import ConfigurationError, RaystreamError
from raystream.job.messages import StopKind
from raystream.job.outcome import AT_ONCE, Outcome
from raystream.observe.status import CheckpointStatus, StatusDocument
from raystream.runtime.ray import driver_messages as said
from raystream.runtime.ray import foreground as module
from raystream.runtime.ray.foreground import foreground
from tests.runtime.ray.jobs import counting

PRIVATE, STANDING = said.Attached(True, 2, ""), said.Attached(False, 4, "10.0.0.1:6379")
DONE = said.Ended(Outcome("finished", rows_in=7))
CANCELLED = said.Ended(Outcome("cancelled", rows_in=3))


def at(checkpoint: int) -> said.Told:
    return said.Told(StatusDocument("job", "running", checkpoint=CheckpointStatus(checkpoint)))


class Scripts:
    """Stands for `DriverProcess`: each new one says what the next script holds, then is silent."""

    def __init__(self, *scripts: list[Any]) -> None:
        self.scripts = deque(scripts)
        self.orders: list[Any] = []
        self.ended = 0

    def __call__(self, log: Any) -> Scripts:
        self.log = log
        self.says = deque(self.scripts.popleft())
        return self

    def send(self, order: Any) -> None:
        self.orders.append(order)

    def receive(self, timeout: float) -> Any:
        while self.says:
            word = self.says.popleft()
            if not callable(word):
                return word
            word()
        return None

    def end(self, patience: float = 0.0) -> None:
        self.ended += 1


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setattr(module, "_is_connected", lambda: False)
    monkeypatch.setattr(module, "_PAUSES", (0.0,))
    monkeypatch.setattr(module, "_START_SECONDS", 1.0)
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(*scripts: list[Any]) -> tuple[Outcome, Scripts, list[str]]:
        drivers, lines = Scripts(*scripts), list[str]()
        monkeypatch.setattr(module, "DriverProcess", drivers)
        with foreground("job", None, lines.append) as runtime:
            outcome = runtime.run(counting(tmp_path), None)
        assert drivers.ended >= len(scripts)
        assert not drivers.scripts
        return outcome, drivers, lines

    return run


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_private_ray_that_dies_is_replaced_with_one_line(run: Any) -> None:
    dying = [PRIVATE, at(3), said.Lost("its raylet is gone")]
    outcome, drivers, lines = run(dying, [PRIVATE, at(5), DONE])
    assert outcome == DONE.outcome
    assert lines == [
        "Ray died (its raylet is gone); another is started, and the job continues from its last "
        "checkpoint"
    ]
    launches = [order for order in drivers.orders if isinstance(order, said.Launch)]
    assert len(launches) == 2
    assert launches[0] == launches[1]


def test_one_that_does_not_start_again_is_tried_again(run: Any) -> None:
    dying = [PRIVATE, said.Lost("its driver is gone")]
    outcome, _, lines = run(dying, [said.NotStarted("no port")], [], [PRIVATE, DONE])
    assert (outcome, len(lines)) == (DONE.outcome, 1)


def test_a_ray_that_only_dies_is_given_up_and_checkpoints_count(run: Any) -> None:
    dying = [PRIVATE, at(1), said.Lost("its raylet is gone")]
    outcome, _, _ = run(*[dying] * 6)
    assert outcome.kind == "failed"
    assert outcome.message.startswith("Ray died 5 times without a checkpoint in between; see ")
    working = [[PRIVATE, at(n), said.Lost("its raylet is gone")] for n in range(1, 10)]
    outcome, _, _ = run(*working, [PRIVATE, DONE])
    assert outcome == DONE.outcome


def test_a_standing_cluster_that_is_lost_ends_the_run(run: Any) -> None:
    outcome, _, lines = run([STANDING, at(3), said.Lost("its control service is gone")])
    assert (outcome.kind, outcome.exit_code, lines) == ("failed", 1, [])
    assert outcome.message == (
        "the Ray cluster at 10.0.0.1:6379 is lost: its control service is gone; run it again: it "
        "continues from its last checkpoint"
    )


def test_a_stop_asks_for_a_last_commit_and_a_second_one_does_not_wait(run: Any) -> None:
    outcome, drivers, _ = run([PRIVATE, at(1), interrupt, at(2), at(2), DONE])
    assert outcome == DONE.outcome
    assert drivers.orders[-1] == said.Stop()
    outcome, drivers, _ = run([PRIVATE, at(1), interrupt, interrupt, at(1), CANCELLED])
    assert outcome == CANCELLED.outcome
    assert drivers.orders[-1] == said.Stop(StopKind.CANCEL)
    outcome, drivers, _ = run([PRIVATE, at(1), interrupt, interrupt, at(1), interrupt])
    assert outcome == AT_ONCE
    assert drivers.orders[-1] == said.Stop(StopKind.CANCEL)


def test_a_stop_while_ray_is_dead_ends_at_once(run: Any) -> None:
    outcome, _, lines = run([PRIVATE, at(1), said.Lost("its raylet is gone")], [interrupt])
    assert (outcome.kind, outcome.exit_code, len(lines)) == ("failed", 1, 1)
    outcome, _, lines = run([PRIVATE, at(1), interrupt, said.Lost("its raylet is gone")])
    assert (outcome.kind, lines) == ("failed", [])


@pytest.mark.parametrize(
    ("word", "error"),
    [
        (said.Refused(ConfigurationError("no Ray cluster answers at x:1")), ConfigurationError),
        (said.NotStarted("Exception: The current node timed out"), RaystreamError),
        (said.Lost("its driver is gone"), RaystreamError),
    ],
)
def test_what_does_not_start_is_one_line(run: Any, word: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        run(*[[word]] * (2 if isinstance(word, said.Lost) else 1))
    assert "\n" not in str(caught.value)


def test_a_part_that_dies_while_ray_starts_costs_one_more_start(run: Any) -> None:
    dead = said.NotStarted("its raylet died", again=True)
    for death in (dead, said.Lost("its driver is gone")):
        outcome, _, lines = run([death], [PRIVATE, DONE])
        assert (outcome, lines) == (DONE.outcome, [])
    with pytest.raises(RaystreamError, match="Ray did not start: its raylet died"):
        run([dead], [dead])


def test_a_driver_that_says_nothing_is_given_up(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SILENT_SECONDS", 0.05)
    outcome, _, lines = run([PRIVATE, at(1)], [PRIVATE, DONE])
    assert (outcome, len(lines)) == (DONE.outcome, 1)


def test_a_driver_that_was_started_early_is_used_and_ended_with_a_job_that_cannot_be_planned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_is_connected", lambda: False)
    monkeypatch.setenv("HOME", str(tmp_path))
    drivers = Scripts([PRIVATE, DONE])
    monkeypatch.setattr(module, "DriverProcess", drivers)
    with module.early_driver("job") as driver:
        assert drivers.orders == []  # it touches no cluster
        with foreground("job", "local", lambda line: None, driver=driver) as runtime:
            assert runtime.run(counting(tmp_path), None) == DONE.outcome
    assert drivers.orders[0] == said.Attach("local")

    drivers.scripts.append([])
    ended = drivers.ended
    with pytest.raises(ConfigurationError), module.early_driver("job"):
        raise ConfigurationError("a mistake", what_to_do="mend it")
    assert drivers.ended == ended + 1
