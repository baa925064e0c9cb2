"""What is known of jobs while they answer, fall silent, go away and come again."""

from __future__ import annotations

from dataclasses import replace

from raystream.observe.status import StatusDocument
from raystream.ui.document import detail, summary
from raystream.ui.watcher import Watcher
from tests.ui.documents import running


class _Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


class _Nobody:
    def statuses(self) -> list[StatusDocument]:
        raise NotImplementedError


def _watcher() -> tuple[Watcher, _Clock]:
    clock = _Clock()
    return Watcher(_Nobody(), clock), clock  # type: ignore[arg-type]  # it is not run


def test_rates_are_those_of_the_last_seconds() -> None:
    watcher, clock = _watcher()
    for seconds in range(10, 21):
        clock.now += 1000
        watcher.take([running(seconds, rows=1000)])
    told = summary(watcher.seen["requests"], clock.now)
    assert told["rows_in_per_second"] == 1000
    assert (told["state"], told["tone"], told["lag_rows"]) == ("running", "good", 17)


def test_numbers_of_a_silent_job_are_kept_and_called_old() -> None:
    watcher, clock = _watcher()
    watcher.take([running()])
    clock.now += 7_000
    watcher.take([StatusDocument("requests", "silent")])
    told = detail(watcher.seen["requests"], clock.now)
    assert (told["state"], told["silent_s"]) == ("silent", 7.0)
    assert told["words"] == "its coordinator does not answer"
    assert told["status"]["state"] == "running"
    watcher.take([running(70)])
    assert summary(watcher.seen["requests"], clock.now)["state"] == "running"


def test_a_lost_cluster_is_said_of_every_job() -> None:
    watcher, clock = _watcher()
    watcher.take([running(), running(job="sale")])
    watcher.fail("there is no Ray cluster here")
    clock.now += 60_000
    assert watcher.trouble == "there is no Ray cluster here"
    for seen in watcher.seen.values():
        told = summary(seen, clock.now)
        assert (told["state"], told["words"]) == ("silent", "there is no Ray cluster here")


def test_a_job_that_ended_is_never_silent() -> None:
    watcher, clock = _watcher()
    watcher.take([running().ended("finished", "finished: read 5")])
    clock.now += 600_000
    watcher.fail("gone")
    told = summary(watcher.seen["requests"], clock.now)
    assert (told["state"], told["silent_s"], told["words"]) == (
        "finished",
        None,
        "finished: read 5",
    )


def test_a_new_run_begins_a_new_history() -> None:
    watcher, clock = _watcher()
    watcher.take([running(600)])
    watcher.take([replace(running(1), run="r2")])
    told = detail(watcher.seen["requests"], clock.now)
    assert len(told["history"]) == 1
    assert told["rows_in_per_second"] is None
