from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raystream.graph.policies import WatermarkStrategy
from raystream.time.split_watermarks import SplitWatermarks
from raystream.time.watermark import Idle, Watermark

STRATEGY = WatermarkStrategy(out_of_orderness_ms=10, idle_timeout_ms=1000, max_future_ms=50)


def marks(*splits: str, restored: dict[str, int] | None = None) -> SplitWatermarks:
    found = SplitWatermarks(STRATEGY)
    found.restore(restored or {})
    for split in splits:
        found.add(split)
    return found


def test_nothing_is_told_until_every_split_has_spoken() -> None:
    m = marks("a", "b")
    m.observe("a", 100)
    assert m.tick(0, set()) is None
    assert m.held_back_by() == ["b"]
    m.observe("b", 50)
    assert m.tick(0, set()) == Watermark(39)
    assert m.tick(0, set()) is None
    assert m.held_back_by() == ["b"]
    assert m.current == 39


def test_a_quiet_split_is_idle_only_after_it_was_caught_up_for_the_timeout() -> None:
    m = marks("a", "b")
    m.observe("a", 100)
    assert m.tick(0.0, {"b"}) is None
    assert m.tick(0.9, set()) is None, "not caught up: the clock starts anew"
    assert m.tick(1.0, {"b"}) is None
    assert m.tick(1.9, {"b"}) is None
    assert m.tick(2.0, {"b"}) == Watermark(89)
    m.observe("b", 10)
    assert m.tick(2.1, set()) is None, "a watermark never goes back"
    m.observe("a", 500)
    assert m.tick(2.2, set()) is None
    assert m.held_back_by() == ["b"]


def test_a_split_that_was_never_read_is_never_idle() -> None:
    m = marks("a", "b")
    m.observe("a", 100)
    assert [m.tick(float(now), set()) for now in range(100)] == [None] * 100


def test_all_idle_then_awake_again() -> None:
    m = marks("a")
    m.observe("a", 100)
    assert m.tick(0, {"a"}) == Watermark(89)
    assert m.tick(1, {"a"}) == Idle()
    assert m.tick(2, {"a"}) is None
    assert m.held_back_by() == []
    m.observe("a", 50)
    assert m.tick(3, set()) == Watermark(89)


def test_without_timeout_nothing_is_idle_and_without_splits_all_is() -> None:
    m = SplitWatermarks(WatermarkStrategy(idle_timeout_ms=None))
    m.add("a")
    assert m.tick(10**9, {"a"}) is None
    assert marks().tick(0, set()) == Idle()


def test_restored_splits_have_spoken() -> None:
    old = marks("a", "b")
    old.observe("a", 100)
    assert old.header() == {"a": 89}
    m = marks("a", restored={"a": 89, "c": 5})
    assert m.tick(0, set()) == Watermark(89)


def test_a_new_split_joins_at_its_first_record() -> None:
    m = marks("a")
    m.observe("a", 100)
    assert m.tick(0, set()) == Watermark(89)
    m.add("b")
    m.observe("a", 200)
    assert m.tick(0, set()) == Watermark(189)
    m.observe("b", 150)
    m.observe("a", 300)
    assert m.tick(0, set()) is None
    m.observe("b", 250)
    assert m.tick(0, set()) == Watermark(239)


def test_limit_of_the_future() -> None:
    assert marks().limit(1000) == 1050
    assert SplitWatermarks(WatermarkStrategy(max_future_ms=None)).limit(1000) is None


EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 1000))
    | st.tuples(st.floats(0, 1), st.sets(st.sampled_from("abc"))),
    max_size=30,
)


@given(EVENTS)
def test_the_watermark_is_the_minimum_over_splits_that_are_not_idle(events: list) -> None:
    m, highest, since, now, told = marks(*"abc"), {}, {}, 0.0, []
    for first, second in events:
        if isinstance(first, str):
            m.observe(first, second)
            highest[first] = max(second, highest.get(first, 0))
            since.pop(first, None)
            continue
        now += first
        since = {s: since.get(s, now) for s in second}
        active = [s for s in "abc" if s not in since or (now - since[s]) * 1000 < 1000]
        news = m.tick(now, second)
        if active and all(s in highest for s in active):
            told.append(max([min(highest[s] for s in active) - 11, *told]))
            assert m.current == told[-1]
            assert news in (None, Watermark(told[-1]))
        elif not active and highest and max(highest.values()) - 11 > max(told, default=-99):
            told.append(max(highest.values()) - 11)
            assert news == Watermark(told[-1]), "all are idle: the maximum comes first"
        elif not active:
            assert news in (None, Idle())
        else:
            assert news is None


def test_each_split_is_told_with_its_time_and_how_long_it_has_been_quiet() -> None:
    m = marks("a", "b")
    m.observe("a", 100)
    m.tick(3.0, {"b"})
    m.add("c")  # found later: does not delay the watermark before its first row
    told = {each.split: each for each in m.splits()}
    assert (told["a"].watermark, told["a"].highest, told["a"].idle) == (89, 100, False)
    assert (told["a"].quiet_since, told["b"].quiet_since) == (None, 3.0)
    assert (told["b"].watermark, told["b"].highest, told["b"].idle) == (None, None, False)
    assert told["c"].idle
    m.tick(4.0, {"b"})
    assert {each.split for each in m.splits() if each.idle} == {"b", "c"}


def test_all_idle_in_the_same_tick_tell_the_maximum_first() -> None:
    m = marks("a", "b")
    m.observe("a", 100)
    m.observe("b", 500)
    assert m.tick(0, {"a", "b"}) == Watermark(89)
    assert m.tick(1, {"a", "b"}) == Watermark(489), "as if b had fallen idle a moment later"
    assert m.tick(1.01, {"a", "b"}) == Idle()
    assert m.tick(1.02, {"a", "b"}) is None
    m.observe("a", 300)
    assert m.tick(1.03, {"b"}) == Watermark(489)


def test_what_was_idle_before_a_restart_is_idle_as_soon_as_its_end_is_seen() -> None:
    old = marks("a", "b", "silent")
    old.observe("a", 100)
    old.observe("b", 50)
    old.tick(0.0, {"b", "silent"})
    old.tick(1.0, {"b", "silent"})
    assert old.resting() == ["b", "silent"]
    m = SplitWatermarks(STRATEGY)
    m.restore(old.header(), [*old.resting(), "of another subtask"])
    for split in ("a", "b", "silent"):
        m.add(split)
    m.observe("a", 200)
    assert m.tick(7.0, {"b"}) is None, "nobody knows yet what waits in the third"
    assert m.resting() == ["b", "silent"]
    assert m.tick(7.01, {"b", "silent"}) == Watermark(189)
    m.observe("b", 120)
    m.observe("a", 300)
    assert m.resting() == ["silent"]
    assert m.tick(7.02, {"b", "silent"}) is None, "it spoke again: its timeout starts anew"


def test_a_backlog_found_at_a_restart_is_no_rest() -> None:
    m = SplitWatermarks(STRATEGY)
    m.restore({"a": 89, "b": 39}, ["b"])
    m.add("a")
    m.add("b")
    m.observe("a", 900)
    assert m.tick(0.0, set()) == Watermark(39)
    m.observe("b", 70)
    assert m.tick(0.1, {"b"}) == Watermark(59)
    assert m.tick(1.0, {"b"}) is None


def test_a_split_is_quiet_also_where_none_is_ever_idle() -> None:
    m = SplitWatermarks(WatermarkStrategy(idle_timeout_ms=None))
    m.add("a")
    m.tick(1.0, {"a"})
    assert [(each.quiet_since, each.idle) for each in m.splits()] == [(1.0, False)]
