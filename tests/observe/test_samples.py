"""Samples: few, seldom, short."""

from __future__ import annotations

from collections.abc import Iterator

from raystream.context import LeftOut
from raystream.observe.samples import EVERY_S, KEPT, LONGEST, Samples
from raystream.time.clock import VirtualClock


def test_rows_are_looked_at_once_in_a_second_per_step_and_kind() -> None:
    clock = VirtualClock(wall_ms=1000)
    samples = Samples(clock)
    looked: list[str] = []

    def rows(name: str) -> Iterator[LeftOut]:
        looked.append(name)
        yield LeftOut(name)

    for _ in range(1000):
        samples.of("a")("late_rows", lambda: rows("a late"))
        samples.of("a")("dlq_rows", lambda: rows("a dlq"))
        samples.of("b")("late_rows", lambda: rows("b late"))
    assert sorted(looked) == ["a dlq", "a late", "b late"]
    clock.advance(EVERY_S)
    samples.of("a")("late_rows", lambda: rows("again"))
    told = [each["row"] for each in samples.told() if each["step"] == "a"]
    assert told == ["a late", "again", "a dlq"]


def test_only_the_newest_few_are_kept_and_they_are_cut() -> None:
    clock = VirtualClock()
    samples = Samples(clock)
    for n in range(10):
        samples.of("a")("late_rows", lambda n=n: [LeftOut(f"{n}" + "x" * 10_000, "y" * 10_000)])
        clock.advance(EVERY_S)
    told = samples.told()
    assert [each["row"][0] for each in told] == ["7", "8", "9"]
    assert len(told) == KEPT
    assert all(len(each["row"]) == len(each["reason"]) == LONGEST for each in told)


def test_of_a_million_rows_only_the_first_few_are_made() -> None:
    made: list[int] = []

    def endless() -> Iterator[LeftOut]:
        while True:
            made.append(1)
            yield LeftOut("row")

    samples = Samples(VirtualClock())
    samples.of("a")("late_rows", endless)
    assert len(made) <= KEPT + 1
