"""Output that the broker has aborted stops the job; `--accept-loss` continues without it."""

from __future__ import annotations

import pytest

from raystream.checkpoint.keys import DONES
from raystream.checkpoint.records import Done
from tests.runtime.world import Crash, World


def dies_in_the_middle_of_phase_two(name: str) -> None:
    if name == "mid commit":
        raise Crash(name)


@pytest.fixture
def partly_lost() -> World:
    """One transaction of a checkpoint is committed, the other expired while the job was down."""
    world = World()
    with pytest.raises(Crash):
        world.drive(world.coordinator(point=dies_in_the_middle_of_phase_two))
    for handle in list(world.broker.open):
        world.broker.abort(handle)
    return world


def test_a_loss_stops_the_job_each_time_and_says_what_to_do(partly_lost: World) -> None:
    for _ in range(2):
        outcome = partly_lost.drive(partly_lost.coordinator())
        assert (outcome.kind, outcome.exit_code) == ("failed", 1)
        assert "1 of 2 transactions of checkpoint 1 cannot be committed" in outcome.message
        assert "--accept-loss" in outcome.message


def test_an_accepted_loss_is_all_that_is_lost_and_is_kept_in_writing(partly_lost: World) -> None:
    again = World(accept_loss=True)
    again.store, again.broker = partly_lost.store, partly_lost.broker
    loop = again.coordinator()
    assert again.drive(loop).kind == "finished"
    with pytest.raises(AssertionError):
        again.assert_exact()
    assert len(again.broker.output) == len(set(again.broker.output))
    written = [done for done in again.records(DONES).values() if isinstance(done, Done)]
    (lost,) = (one for done in written for one in done.lost)
    assert lost.n_records > 0
    assert loop.status is not None
    assert f"--accept-loss: continued without {lost.n_records} records" in " ".join(
        loop.status.notes
    )
