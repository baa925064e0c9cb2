from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raystream.time.timers import TimerQueue

EVENTS = st.lists(
    st.tuples(st.just("set"), st.sampled_from("abcd"), st.integers(0, 20))
    | st.tuples(st.just("cancel"), st.sampled_from("abcd"), st.just(0))
    | st.tuples(st.just("due"), st.just(""), st.integers(0, 20))
)


@given(EVENTS)
def test_same_as_a_dict(events: list) -> None:
    timers, plain = TimerQueue[str](), {}
    for what, name, time in events:
        if what == "set":
            timers.set(name, time)
            plain[name] = time
        elif what == "cancel":
            timers.cancel(name)
            plain.pop(name, None)
        else:
            due = timers.due(time)
            expected = {n for n, t in plain.items() if t <= time}
            assert set(due) == expected
            assert [plain[n] for n in due] == sorted(plain[n] for n in due)
            plain = {n: t for n, t in plain.items() if n not in expected}
        assert len(timers) == len(plain)
        assert timers.next_time() == min(plain.values(), default=None)


def test_equal_times_come_in_the_order_they_were_set() -> None:
    timers = TimerQueue[str]()
    for name in "cab":
        timers.set(name, 1)
    assert timers.due(1) == ["c", "a", "b"]
