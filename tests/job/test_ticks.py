"""When a job needs the next tick: seldom while it runs, at once while anything else happens."""

from __future__ import annotations

from raystream.ids import SubtaskId
from raystream.job.messages import Died, Failure, Tick
from tests.job.log import Log


def ticked(log: Log, seconds: float, *, answers: bool = True) -> tuple[int, list[str]]:
    """How many ticks it took, if each comes when the machine says, and what was ordered."""
    ticks, said, end = 0, list[str](), log.now + seconds
    while log.now < end:
        log.now = max(log.now + 0.02, log.machine.due())
        ticks += 1
        said += log.tell(*(log.pongs() if answers else ()), Tick(log.now))
    return ticks, said


def test_a_calm_job_needs_few_ticks_and_checkpoints_come_in_time() -> None:
    log = Log().running()
    begun = log.now
    ticks, said = ticked(log, 9.7)
    assert (ticks < 60, said) == (True, [])
    while "trigger 1" not in said:
        _, said = ticked(log, 0.02)
    assert log.now - begun <= 10.05


def test_with_ticks_when_they_are_due_the_silent_are_noticed_in_time() -> None:
    log = Log().running()
    silent = log.machine.context.spec.liveness_timeout
    begun = log.now
    while log.state == "running":
        ticked(log, 0.02, answers=False)
    assert silent <= log.now - begun <= silent + 0.3


def test_while_anything_but_running_ticks_come_at_once() -> None:
    log = Log().running()
    log.tell(Died(SubtaskId("read", 0), 0, Failure("died", "gone")))
    assert log.state == "failing"
    assert log.machine.due() <= log.now
