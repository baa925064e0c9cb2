"""What is known of jobs while they answer, fall silent, go away and come again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raystream.observe.history import History, Point
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


def test_a_silent_job_has_no_rates_in_the_list_and_an_ended_one_s_checkpoint_grows_older() -> None:
    watcher, clock = _watcher()
    clock.now = running(20).at_ms
    for seconds in range(10, 21):
        watcher.take([running(seconds, rows=1000)])
    clock.now += 7_000
    silent = summary(watcher.seen["requests"], clock.now)
    unknown = ("rows_in_per_second", "rows_out_per_second", "lag_rows", "checkpoint_age_s")
    assert [silent[name] for name in unknown] == [None] * 4
    watcher.take([running(20).ended("stopped", "stop by ana")])
    over = summary(watcher.seen["requests"], clock.now)
    assert (over["ended_s"], over["checkpoint_age_s"]) == (7.0, 8.0)


def test_a_document_that_stands_still_is_no_answer() -> None:
    watcher, clock = _watcher()
    for _ in range(8):
        watcher.take([running()])
        clock.now += 1_000
    told = summary(watcher.seen["requests"], clock.now)
    assert (told["state"], told["silent_s"], told["words"]) == ("silent", 8.0, "it does not answer")


def test_who_begins_to_look_sees_the_last_15_minutes_of_the_job() -> None:
    known = History()
    for seconds in range(0, 900, 5):
        known.add(running(seconds))

    class Jobs(_Nobody):
        def statuses(self) -> list[StatusDocument]:
            return [running(900), running(5, job="older"), StatusDocument("dead", "silent")]

        def history(self, job: str) -> Sequence[Point]:
            if job != "requests":
                raise NotImplementedError(job)
            return known.points

    watcher = Watcher(Jobs(), _Clock())  # type: ignore[arg-type]  # it gives no orders
    watcher.take(*watcher._look())
    points = {name: seen.history for name, seen in watcher.seen.items()}
    assert len(points["requests"]) == 181
    assert points["requests"][-1].at_ms - points["requests"][0].at_ms == 900_000
    assert len(points["older"]) == 1


def test_of_two_jobs_of_one_name_the_one_that_takes_the_orders_is_shown() -> None:
    watcher, clock = _watcher()
    other = replace(running(5), run="other", parallelism=7)
    for seconds in range(10, 20):
        clock.now += 1_000
        watcher.take([running(seconds), other])
    told = detail(watcher.seen["requests"], clock.now)
    assert told["status"]["run"] == "r1"
    assert told["rows_in_per_second"] == 1000


def test_jobs_of_similar_names_are_kept_apart() -> None:
    watcher, clock = _watcher()
    watcher.take([running(job="sale"), running(job="sale-2", rows=5)])
    assert [each.status.job for each in watcher.seen.values()] == ["sale", "sale-2"]
    assert watcher.seen["sale-2"].status.rows_read == 300
