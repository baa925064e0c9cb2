"""What the page draws of each document, by node instead of a browser."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from raystream.observe.flow import SampleStatus
from raystream.observe.history import Point
from raystream.observe.status import StatusDocument
from raystream.observe.stuck import StuckFunction
from raystream.ui.document import Seen, detail, summary
from raystream.ui.watcher import Watcher
from tests.support.page.jobs import STATES, MadeUpJobs
from tests.support.page.node import NODE, run

pytestmark = pytest.mark.skipif(NODE is None, reason="no node here")

QUESTIONS = ["well", "keeps-up", "brake", "open", "safe", "left-out", "flows"]
EVIL = "<script>alert('x')</script>\"' & ünïcödé \u202e"


def watched() -> tuple[dict[str, Seen], int]:
    """Every made-up job after a minute, and the time."""
    now = time.time()
    watcher = Watcher(MadeUpJobs(lambda: now), lambda: round(now * 1000))
    for _ in range(20):
        now += 1
        watcher.take(MadeUpJobs.statuses(watcher._jobs))  # type: ignore[arg-type]
    return watcher.seen, round(now * 1000)


@cache
def drawn() -> dict[str, Any]:
    seen, now = watched()
    slow = seen["sale-totals"]
    stuck = StuckFunction("counts[1]", "jobs/geo.py:17", "lookup", 12.3)
    twins = tuple(
        replace(chain, name=name)
        for chain, name in zip(slow.status.chains, ("count", "counts"), strict=True)
    )
    beside = replace(slow.status, chains=twins, stuck=(stuck,), edges=())
    sample = SampleStatus("dlq_rows", now, EVIL, EVIL, EVIL)
    steps = (replace(slow.status.steps[0], samples=(sample,)), *slow.status.steps[1:])
    evil = replace(slow.status, steps=steps, message=EVIL, storage=EVIL, notes=(EVIL,))
    times = replace(slow.status, watermark_ms=-(2**63), splits=tuple(
        replace(split, watermark_ms=ms)
        for split, ms in zip(slow.status.splits, (2**63 - 1, -(2**63), None, 0), strict=True)
    ))  # fmt: skip
    gap = tuple(Point(now - 1000 * ago, 5.0) for ago in (300, 295, 290, 10, 5, 0))
    alone = replace(slow.status, splits=slow.status.splits[3:])
    bare = StatusDocument("bare", "recovering")
    of = {name: detail(each, now) for name, each in seen.items()}
    of["silent"] = detail(slow, now + 90_000)
    for name, status in {"twins": beside, "evil": evil, "times": times, "bare": bare}.items():
        of[name] = detail(Seen(status, None, now), now)
    of["gap"] = detail(Seen(alone, None, now, history=gap), now)
    of["missing"] = {"missing": True, "trouble": "", "sent_ms": now}
    rows = [summary(each, now) for each in seen.values()]
    fifty = [{**rows[n % len(rows)], "job": f"sale-{n}"} for n in range(50)]
    lists = {"none": [], "one": rows[:1], "all": rows, "fifty": fifty}
    told = run(
        "draw.mjs",
        {
            "jobs": list(of.values()),
            "lists": [{"jobs": each, "trouble": "", "sent_ms": now} for each in lists.values()],
        },
    )
    return dict(zip([*of, *lists], [*told["jobs"], *told["lists"]], strict=True))


def text(job: str, section: str) -> str:
    return str(drawn()[job]["sections"][section])


@pytest.mark.parametrize("job", [*STATES, "silent", "twins", "evil", "times", "bare"])
def test_every_question_is_answered_in_its_order(job: str) -> None:
    found = drawn()[job]
    assert list(found["sections"]) == QUESTIONS
    shown = " ".join(found["sections"].values())
    assert not [bad for bad in ("cannot be shown", "undefined", "NaN", "[object") if bad in shown]


def test_what_is_shown_does_not_depend_on_what_was_shown_before() -> None:
    assert [name for name, found in drawn().items() if not found["same"]] == []


def test_only_the_culprit_is_outlined_not_who_waits_for_it_nor_one_of_a_similar_name() -> None:
    assert drawn()["sale-totals"]["culprits"] == 1
    assert drawn()["twins"]["culprits"] == 1
    assert drawn()["requests-per-minute"]["culprits"] == 0
    assert "counts[1] has been in lookup at jobs/geo.py:17 for 12 s" in text("twins", "well")


def test_a_failure_comes_with_its_restarts_their_causes_and_the_line_of_the_user() -> None:
    assert 'File "jobs/marketing.py", line 31, in amount' in text("marketing", "well")
    safe = text("marketing", "safe")
    assert "Checkpoint 20 failed: counts[1] died before its ack" in safe
    assert "3 restarts" in safe
    assert "attempt 1: counts[0]: SIGKILL; down for 2.5 s" in safe


def test_a_job_that_has_ended_shows_nothing_as_if_it_ran() -> None:
    assert "ran 4 h 15 min · ended 12 min" in text("old-report", "well")
    assert "It has ended." in text("old-report", "brake")
    assert "busy" not in text("old-report", "brake")
    assert "busy" not in text("marketing", "brake")
    assert "No attempt runs at this moment." in text("marketing", "brake")
    assert "completed 12 min" in text("old-report", "safe")


def test_numbers_of_a_silent_job_are_called_old() -> None:
    assert "No answer for 1 min 30 s" in text("silent", "well")
    assert "What follows is of " in text("silent", "well")
    assert "Orders have to wait: nobody of the job answers" in text("silent", "well")
    assert "The run has ended: there is nothing to stop." in text("old-report", "well")
    assert "Orders" not in text("sale-totals", "well")
    assert "/s" not in text("silent", "keeps-up").partition("last 15 minutes")[0]


def test_names_and_rows_are_text_whatever_they_hold() -> None:
    assert text("evil", "left-out").count(EVIL) == 3
    assert EVIL in text("evil", "well")
    assert "SCRIPT" not in drawn()["evil"]["tags"]


def test_times_beyond_the_calendar_are_said_in_words() -> None:
    assert text("times", "open").startswith("Why is the window open?the beginning: ")
    assert "the end" in text("times", "open")
    assert "1970-01-01 00:00:00Z" in text("times", "open")


def test_a_line_has_a_gap_where_nobody_looked() -> None:
    assert drawn()["gap"]["strokes"] == [2]
    assert drawn()["sale-totals"]["strokes"][0] == 1


def test_a_split_delays_the_watermark_only_where_others_wait_for_it() -> None:
    assert "delays the watermark" in text("requests-per-minute", "open")
    assert "delays the watermark" not in text("gap", "open")


def test_lists_of_no_job_one_and_fifty() -> None:
    assert "No job runs here." in text("none", "jobs")
    assert "1 job: " in text("one", "jobs")
    assert "6 jobs: 1 failing, 4 running, 1 stopped" in text("all", "jobs")
    assert "50 jobs: " in text("fifty", "jobs")
    assert drawn()["all"]["title"] == "1 not well · raystream"
    assert "There is no such job here." in text("missing", "gone")


def test_numbers_durations_and_times_in_words() -> None:
    noon = 1_700_049_600_000
    expected: list[tuple[str, list[Any], str]] = [
        ("count", [999], "999"), ("count", [999.7], "1.0 k"), ("count", [999_949], "999.9 k"),
        ("count", [999_960], "1.00 M"), ("count", [2.5e9], "2.50 G"), ("count", [None], "–"),
        ("count", ["NaN"], "–"), ("count", [-1500], "-1.5 k"), ("count", [0], "0"),
        ("size", [950], "950 B"), ("size", [12_345], "12.3 kB"), ("rows", [1], "1 row"),
        ("rate", [12_000], "12.0 k/s"), ("rate", [None], "–"),
        ("seconds", [0.0004], "0 ms"), ("seconds", [0.9996], "1.0 s"), ("seconds", [9.96], "10 s"),
        ("seconds", [59.6], "1 min"), ("seconds", [61], "1 min 1 s"), ("seconds", [3599.7], "1 h"),
        ("seconds", [90_000], "1 d 1 h"), ("seconds", [-5], "-5.0 s"), ("seconds", [None], "–"),
        ("ago", [0.9], "0 s"), ("ago", [9.9], "9 s"), ("ago", [59.9], "59 s"), ("ago", [None], "–"),
        ("instant", [noon, noon], "12:00:00.000Z"),
        ("instant", [noon, noon + 86_400_000], "2023-11-15 12:00:00Z"),
        ("instant", [-(2**63)], "the beginning"), ("instant", [2**63 - 1], "the end"),
        ("instant", [None], "–"),
    ]  # fmt: skip
    found = run("words.mjs", [[name, given] for name, given, _ in expected])
    assert found == [wanted for _, _, wanted in expected]
