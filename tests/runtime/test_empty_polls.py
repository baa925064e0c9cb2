from __future__ import annotations

from raystream.runtime.empty_polls import LONGEST_S, SHORTEST_S, EmptyPolls


def polls_in(seconds: float) -> list[float]:
    empty, now, pauses = EmptyPolls(), 0.0, list[float]()
    while now < seconds:
        pauses.append(empty.pause(now))
        now += pauses[-1]
    return pauses


def test_a_quiet_source_is_polled_twenty_times_a_second() -> None:
    assert len(polls_in(60)) < 60 / LONGEST_S + 60


def test_right_after_rows_nothing_is_later_than_before() -> None:
    assert polls_in(0.05) == [SHORTEST_S] * len(polls_in(0.05))


def test_a_row_waits_for_no_more_than_a_tenth_of_the_quiet_time() -> None:
    empty = EmptyPolls()
    empty.pause(0.0)
    for quiet in (0.06, 0.2, 0.4):
        assert empty.pause(quiet) <= quiet / 10 + 1e-9
    empty.came()
    assert empty.pause(0.5) == SHORTEST_S
