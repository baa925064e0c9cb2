"""Sources of a group stay near one another, whoever is fast, and all come to their ends."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.ids import SubtaskId
from raystream.time.alignment import Groups, SplitAlignment
from raystream.time.watermark import END_OF_TIME

DRIFT = 20
STREAMS = st.lists(
    st.lists(st.lists(st.integers(0, 15), max_size=8), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)
"""Per subtask and split: by how much the event time of each record is later."""


class Subtask:
    """One source: splits that are lists of event times, each with a position."""

    def __init__(self, splits: list[list[int]]) -> None:
        self.left = {}
        for number, steps in enumerate(splits):
            times, now = [], 100 * number
            for step in steps:
                now += step
                times.append(now)
            self.left[f"t/{number}"] = times
        self.now: dict[str, int | None] = dict.fromkeys(self.left)
        self.alignment = SplitAlignment(DRIFT)

    def active(self) -> dict[str, int | None]:
        return {split: self.now[split] for split, times in self.left.items() if times}

    def lowest(self) -> int | None:
        times = self.active().values()
        if not times:
            return END_OF_TIME
        return None if None in times else min(t for t in times if t is not None)

    def read(self, split: str) -> bool:
        if not self.left[split] or split in self.alignment.ahead(self.active()):
            return False
        self.now[split] = self.left[split].pop(0)
        return True


@settings(max_examples=30)
@given(STREAMS, st.randoms(use_true_random=False))
def test_no_split_is_read_far_ahead_and_all_are_read(
    streams: list[list[list[int]]], dice: Random
) -> None:
    subtasks = {SubtaskId("read", n): Subtask(splits) for n, splits in enumerate(streams)}
    groups = Groups({"g": list(subtasks)})
    standing = 0
    while any(one.active() for one in subtasks.values()):
        read = False
        for one in dice.sample(list(subtasks.values()), len(subtasks)):
            split = dice.choice(list(one.left))
            lows = [t for each in subtasks.values() for t in each.active().values()]
            before = one.now[split]
            done = one.read(split)
            read = read or done
            heard = one.alignment._others is not None
            if done and heard and before is not None and None not in lows:
                assert before <= min(t for t in lows if t is not None) + DRIFT
        if dice.random() < 0.3 or not read:
            for subtask, one in subtasks.items():
                groups.heard(subtask, one.lowest())
            for subtask, others in groups.others().items():
                subtasks[subtask].alignment.hear(others)
        standing = 0 if read else standing + 1
        assert standing < 200, "the one that is behind is never held"


def test_who_is_silent_holds_the_group_where_it_was_until_it_is_idle() -> None:
    slow, fast = SubtaskId("slow", 0), SubtaskId("fast", 0)
    groups, one = Groups({"g": [slow, fast]}), SplitAlignment(10)
    groups.heard(fast, 1000)
    assert groups.others() == {}
    assert one.ahead({"f/0": 1000}) == frozenset()
    assert one.ahead({"f/0": 1011}) == {"f/0"}
    groups.heard(slow, END_OF_TIME)
    one.hear(groups.others()[fast])
    assert one.ahead({"f/0": 5000}) == frozenset()


def test_what_was_heard_in_an_earlier_attempt_is_forgotten() -> None:
    a, b = SubtaskId("a", 0), SubtaskId("b", 0)
    groups = Groups({"g": [a, b]})
    groups.heard(a, 5, 1)
    groups.heard(b, 9, 1)
    assert groups.others(1) == {a: 9, b: 5}
    assert groups.others(2) == {}
    groups.heard(a, 3, 2)
    assert groups.others(2) == {}
