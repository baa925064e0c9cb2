"""What `scripts/bench` computes from what it saw: gaps, lateness, ratios, and the registry."""

from __future__ import annotations

import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.bench.__main__ import GROUPS, _parser
from tests.support.bench.committed import Reader, Seen
from tests.support.bench.cpu import CpuBook
from tests.support.bench.drain import Pair
from tests.support.bench.figure import Figure, as_json, repeated
from tests.support.bench.lab import Lab, Ran
from tests.support.bench.recovery import _gap
from tests.support.bench.steady import EventClock, _lateness


class Past:
    """A reader that has seen rows at these moments."""

    def __init__(self, *at: float) -> None:
        self.seen = [Seen(each, 1, 1, {}) for each in at]


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_has_its_function(name: str) -> None:
    module, _, function = GROUPS[name].where.partition(":")
    assert callable(getattr(import_module(f"tests.support.bench.{module}"), function))


def test_a_gap_is_the_longest_silence_that_began_before_the_fault() -> None:
    now = time.monotonic()
    began = now - 9
    past = Past(began - 1.5, began - 0.5, began + 3, began + 4, now - 0.1)
    assert _gap(cast("Reader", past), began) == pytest.approx(4.9)
    steady = Past(*(began - 0.5 + 0.25 * n for n in range(60)))
    assert _gap(cast("Reader", steady), began) == pytest.approx(0.25)


def test_the_clock_of_events_gains_a_second_and_is_turned_back() -> None:
    clock = EventClock(1000.0, 20.0)
    assert clock.event_ms(1020.0) == pytest.approx(1_021_000)
    assert clock.wall_ms(clock.event_ms(1013.25)) == pytest.approx(1_013_250)


def test_rows_are_late_from_the_moment_that_their_watermark_was_due() -> None:
    wall = time.time()
    clock = EventClock(wall, 1e12)
    seen_at = time.monotonic() + 3
    seen = [Seen(seen_at, 5, 5, {int(wall * 1000) + 1000: 2, int(wall * 1000) - 9000: 3})]
    late = list(_lateness(seen, clock, wall * 1000))
    assert late == [pytest.approx(1500, abs=50)] * 2  # 500 ms out of order; those before began left


def test_further_records_do_not_pay_the_start() -> None:
    small = Ran(9.0, 8.0, {"job": 10.0, "ray": 4.0}, {"read-x": 6.0})
    large = Ran(19.0, 20.0, {"job": 13.0, "ray": 5.0}, {"read-x": 8.0})
    pair = Pair(small, large, 1_000_000, 5_000_000)
    assert (pair.cpu, pair.wall, pair.share("read")) == (1.0, 3.0, 0.5)


def test_figures_are_medians_and_told_as_met_or_missed() -> None:
    values = iter([9.0, 1.0, 2.0])
    (found,) = repeated(3, lambda: [Figure("x", (next(values),), "s", 3.0)])
    assert (found.value, found.met, found.values) == (2.0, True, (9.0, 1.0, 2.0))
    assert Figure("y", (1.0,), "x", 2.0, ">=").met is False
    assert Figure("z", (1.0,), "us").met is None
    assert '"met": true' in as_json([found], {"load": 1})


def test_how_often_is_said_or_follows_from_the_size() -> None:
    asked = [_parser().parse_args(given).times for given in ([], ["--times", "5"])]
    labs = [
        Lab(cast("Any", None), Path(), quick=quick, asked=n)
        for quick in (True, False)
        for n in asked
    ]
    assert [lab.times for lab in labs] == [1, 5, 3, 5]
    assert [lab.faults(2, 10) for lab in labs] == [2, 5, 10, 5]
    with pytest.raises(SystemExit):
        _parser().parse_args(["--times", "0"])


def test_this_process_has_used_cpu_and_memory() -> None:
    book = CpuBook((os.getpid(),))
    book.look()
    totals: dict[str, Any] = book.totals()
    assert totals["job"] > 0.0
    assert book.memory()["job"] > 10
