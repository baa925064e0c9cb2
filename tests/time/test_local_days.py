"""Local days against the clocks themselves, walked along minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raystream.graph.windows import Cumulative, Hopping, Tumbling
from raystream.time.local_days import DAY_MS, LocalDays, LocalGrid
from raystream.verify.local_windows import local_windows_of

HOUR = 3_600_000
ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo",
    "America/St_Johns", "America/Havana", "Asia/Kathmandu", "Pacific/Kwajalein", "Africa/Cairo",
    "Asia/Tehran", "UTC", "Pacific/Kiritimati", "Africa/Casablanca", "Asia/Gaza",
)  # fmt: skip


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


CHANGES = {
    "Europe/Berlin": ["2024-03-31T01:00", "2024-10-27T01:00"],
    "Australia/Lord_Howe": ["2024-04-06T15:00", "2024-10-05T15:30"],
    "Pacific/Apia": ["2011-12-30T10:00"],
    "America/St_Johns": ["2006-04-02T03:31", "2006-10-29T02:31"],
    "America/Havana": ["2024-03-10T05:00", "2024-11-03T05:00"],
    "America/Sao_Paulo": ["2018-11-04T03:00", "2018-02-18T02:00"],
    "Pacific/Kwajalein": ["1993-08-21T12:00"],
}


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("Australia/Lord_Howe", "2024-10-06", 23.5),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-29", 24),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/St_Johns", "2006-10-29", 25),
        ("America/Havana", "2024-03-10", 23),
    ],
)
def test_a_day_is_as_long_as_the_clocks_say(zone: str, day: str, hours: float) -> None:
    days, number = LocalDays(zone), ms(day) // DAY_MS
    assert days.start(number + 1) - days.start(number) == hours * HOUR


def test_an_hour_that_is_shown_twice_is_two_hours() -> None:
    grid, first = LocalGrid("Europe/Berlin", HOUR), ms("2024-10-26T22:00")
    begins = [first]
    while begins[-1] < first + 25 * HOUR:
        begins.append(grid.next(begins[-1]))
    assert begins == [first + n * HOUR for n in range(26)]


def test_a_quarter_of_the_day_follows_the_clocks() -> None:
    grid, first = LocalGrid("Europe/Berlin", 6 * HOUR), ms("2024-10-26T22:00")
    begins = [first, *(first + h * HOUR for h in (7, 13, 19, 25))]
    assert [grid.next(t) for t in begins[:-1]] == begins[1:], "0, 6, 12, 18 o'clock"


TIMES = st.one_of(
    st.sampled_from([(z, ms(t)) for z, times in CHANGES.items() for t in times]).flatmap(
        lambda near: st.tuples(
            st.just(near[0]), st.integers(near[1] - 2 * DAY_MS, near[1] + 2 * DAY_MS)
        )
    ),
    st.tuples(st.sampled_from(ZONES), st.integers(ms("1970-01-01"), ms("2035-01-01"))),
)
OFFSETS = st.sampled_from([0, 6 * HOUR, 90 * 60_000, 4 * DAY_MS])
WINDOWS = st.sampled_from(
    [
        lambda z, o: Tumbling(DAY_MS, o % DAY_MS, z),
        lambda z, o: Tumbling(7 * DAY_MS, o, z),
        lambda z, o: Tumbling(HOUR, o % HOUR, z),
        lambda z, o: Tumbling(6 * HOUR, o % (6 * HOUR), z),
        lambda z, o: Hopping(7 * DAY_MS, DAY_MS, o % DAY_MS, z),
        lambda z, o: Cumulative(DAY_MS, HOUR, o % DAY_MS, z),
        lambda z, o: Cumulative(7 * DAY_MS, DAY_MS, o, z),
    ]
)


@settings(max_examples=60, deadline=None)
@given(TIMES, OFFSETS, WINDOWS)
@example(("America/St_Johns", ms("2006-10-29T03:00")), 0, lambda z, o: Tumbling(DAY_MS, o, z))
@example(("Pacific/Apia", ms("2011-12-30T10:00")), 0, lambda z, o: Tumbling(2 * DAY_MS, o, z))
def test_windows_are_those_of_the_clocks(at: tuple[str, int], offset: int, make: object) -> None:
    from raystream.data.batch import TIME
    from raystream.operators.window.panes import WINDOW_END, WINDOW_START, panes_of
    from tests.operators.windows import rows_of

    zone, time = at
    window = make(zone, offset)  # type: ignore[operator]
    panes = panes_of(window)
    frame = rows_of(TIME, [time]).with_columns(panes.pane())
    found = panes.explode(frame, time - 400 * DAY_MS, time + 400 * DAY_MS)
    told = sorted(found.select(WINDOW_START, WINDOW_END).rows())
    right = sorted({w for w in local_windows_of(window, time) if w[0] <= time < w[1]})
    assert [w for w in told if w[0] <= time < w[1]] == right == told
    pane = panes.pane_of(time)
    assert frame.row(0)[1] == pane <= time < panes.next_end(time)
    assert panes.last_end(pane) == max(end for _, end in right)
    first, last = min(end for _, end in right), max(end for _, end in right)
    assert panes.horizon(first - 1) <= pane, "a window with this pane ends behind that"
    assert panes.horizon(last) > pane, "none does"
    assert min(start for start, _ in right) >= panes.first_pane(first)


@given(st.sampled_from(ZONES), st.sampled_from([-62_135_596_800_000, 253_402_300_799_999]))
def test_the_ends_of_event_time_have_days_too(zone: str, time: int) -> None:
    for step in (DAY_MS, 7 * DAY_MS, HOUR):
        grid = LocalGrid(zone, step)
        assert grid.floor(time) <= time < grid.next(time)
