"""The merge of watermarks, compared with its rule in words, over random news."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raystream.time.watermark import END_OF_TIME, Idle, Watermark, WatermarkMerge

NEWS = st.tuples(
    st.sampled_from("abc"),
    st.one_of(st.integers(0, 9).map(Watermark), st.just(Idle()), st.just(Watermark(END_OF_TIME))),
)


def by_the_rule(times: dict[str, int | None], idle: set[str]) -> int | None:
    """What may be told now: no rule of order, just the state of the inputs."""
    running = {name: time for name, time in times.items() if time != END_OF_TIME}
    if not running:
        return END_OF_TIME
    active = [time for name, time in running.items() if name not in idle]
    if active:
        return None if None in active else min(time for time in active if time is not None)
    return max((time for time in running.values() if time is not None), default=None)


@given(st.lists(NEWS, max_size=30))
def test_what_is_told_never_passes_the_rule_and_reaches_it(
    news: list[tuple[str, Watermark | Idle]],
) -> None:
    merge = WatermarkMerge("abc")
    times: dict[str, int | None] = dict.fromkeys("abc")
    idle: set[str] = set()
    highest: int | None = None
    for name, item in news:
        if times[name] == END_OF_TIME:
            continue  # nobody speaks behind the end
        told = merge.update(name, item)
        if isinstance(item, Idle):
            idle.add(name)
        else:
            idle.discard(name)
            times[name] = max(item.time, times[name] or 0)
        may = by_the_rule(times, idle)
        if may is not None:
            highest = may if highest is None else max(highest, may)
        assert merge.current == highest
        if isinstance(told, Watermark):
            assert told.time == highest


def test_an_ended_input_closes_nothing_for_one_that_is_idle() -> None:
    merge = WatermarkMerge(["file", "topic"])
    merge.update("topic", Watermark(5))
    assert merge.update("file", Watermark(END_OF_TIME)) == Watermark(5)
    assert merge.update("topic", Idle()) == Idle()
    assert merge.update("topic", Watermark(7)) == Watermark(7)
    assert merge.held_back_by() == ["topic"]
    assert merge.update("topic", Watermark(END_OF_TIME)) == Watermark(END_OF_TIME)
