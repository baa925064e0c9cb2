"""The past of a job in its storage: twenty runs, each with its end if it has one."""

from __future__ import annotations

from dataclasses import replace

from raystream.errors import StorageError
from raystream.job.messages import StopKind
from raystream.job.outcome import Outcome
from raystream.job.past import KEPT_RUNS
from raystream.runtime.past import Past, past_logs, past_runs
from raystream.storage.memory import MemoryStore
from tests.runtime.world import World


def test_each_run_is_kept_with_its_end_the_newest_first() -> None:
    world = World(run="one")
    world.drive(world.coordinator(), stop=StopKind.CANCEL)
    world.clock.advance(1.0)
    world.spec = replace(world.spec, run="two")
    world.drive(world.coordinator())
    newer, older = past_runs(world.store)
    assert (newer.run, older.run) == ("two", "one")
    assert newer.outcome is not None
    assert older.outcome is not None
    assert (newer.outcome.kind, older.outcome.kind) == ("finished", "cancelled")
    told = older.document()
    assert (told.state, told.outcome, told.job) == ("ended", "cancelled", "example")
    assert [run.run for run in past_runs(world.store, "one")] == ["one"]


def test_who_asked_for_the_end_is_kept() -> None:
    world = World(run="one")
    loop = world.coordinator()
    loop.request_stop(StopKind.STOP, by="stop by somebody on a host")
    world.drive(loop)
    (run,) = past_runs(world.store)
    assert run.outcome is not None
    assert run.outcome.ended_by == "stop by somebody on a host"


def test_another_coordinator_of_a_run_goes_on_with_its_record() -> None:
    store = MemoryStore()
    Past(store, "job", "one").begin(5)
    (gone,) = past_runs(store)
    assert (gone.outcome, gone.document().outcome) == (None, "gone")
    again = Past(store, "job", "one")
    again.begin(900)
    again.end(Outcome("failed", "boom"), None)
    again.logs("count[0] | hello")
    (run,) = past_runs(store)
    assert (run.started_at_ms, run.document().message) == (5, "boom")
    assert past_logs(store, run) == ["count[0] | hello"]


def test_only_the_newest_are_kept() -> None:
    store = MemoryStore()
    for n in range(KEPT_RUNS + 3):
        past = Past(store, "job", f"run{n}")
        past.begin(n)
        past.end(Outcome("finished"), None)
    assert [run.started_at_ms for run in past_runs(store)] == list(range(KEPT_RUNS + 2, 2, -1))
    assert len(store.list("")) == 2 * KEPT_RUNS


def test_what_is_damaged_or_can_not_be_written_harms_nobody() -> None:
    store = MemoryStore()
    store.create("runs/0000000000001-x.began", b"{")
    assert past_runs(store) == []

    class Full(MemoryStore):
        def list(self, prefix: str) -> list[str]:
            raise StorageError("the disk is full")

    past = Past(Full(), "job", "one")
    past.begin(1)
    past.end(Outcome("finished"), None)
