"""Watermark alignment: nobody in a group reads far ahead of the others (Flink's FLIP-182 and 217).

The least event time of each member travels to the job's machine with the answers to pings, and with
the next ping each member hears the least one of the others. A split ahead of that by more than its
drift is not read: its records stay where they are, none is late, none fills memory. Who is behind
is never held by itself, so a replay goes as fast as it can.

While a member has no event time yet, nobody knows how far behind it is: the group stays where it
was. One whose splits are all idle, or read to their end, holds nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from raystream.ids import SplitId, SubtaskId
from raystream.time.watermark import END_OF_TIME

K = TypeVar("K")


class Groups:
    """What the machine of a job knows of the members of each group.

    Args:
        members: Source subtasks by the name of their group.

    >>> old, new = SubtaskId("old", 0), SubtaskId("new", 0)
    >>> groups = Groups({"web": [old, new]})
    >>> groups.heard(old, 5); groups.others()
    {}
    >>> groups.heard(new, 900); groups.others() == {old: 900, new: 5}
    True
    """

    def __init__(self, members: Mapping[str, Collection[SubtaskId]]) -> None:
        self._members = members
        self._groups = {each: name for name, every in members.items() for each in every}
        self._lowest: dict[SubtaskId, int | None] = {}
        self._others: dict[SubtaskId, int] = {}
        self._attempt: int | None = None

    def __bool__(self) -> bool:
        """Whether there is any group."""
        return bool(self._members)

    def heard(self, subtask: SubtaskId, lowest: int | None, attempt: int = 0) -> None:
        """A member has told its least event time.

        Args:
            subtask: The member; others are ignored.
            lowest: Epoch ms; None: it has none yet; END_OF_TIME: it holds nobody.
            attempt: Of the job; what was heard in another one is forgotten.
        """
        if attempt != self._attempt:
            self._attempt = attempt
            self._lowest, self._others = {}, {}
        if subtask in self._groups:
            self._lowest[subtask] = lowest
            self._compare(self._members[self._groups[subtask]])

    def others(self, attempt: int = 0) -> Mapping[SubtaskId, int]:
        """For each member the least event time of the others of its group, as far as known."""
        return self._others if attempt == self._attempt else {}

    def _compare(self, members: Collection[SubtaskId]) -> None:
        known = {each: time for each in members if (time := self._lowest.get(each)) is not None}
        if len(known) == len(members):
            rests = of_the_others(known)
            self._others = {**self._others, **rests}


class SplitAlignment:
    """Which splits of one subtask are ahead of their group.

    Args:
        drift_ms: How far a split may be ahead.

    >>> one = SplitAlignment(10)
    >>> one.ahead({"t/0": 100, "t/1": 111})
    frozenset({'t/1'})
    >>> one.hear(95); one.ahead({"t/0": 100, "t/1": 105}), one.ahead({"t/0": 100, "t/1": 100})
    (frozenset({'t/1'}), frozenset())
    """

    def __init__(self, drift_ms: int) -> None:
        self._drift = drift_ms
        self._others: int | None = None
        self._first: int | None = None
        self._ahead: frozenset[SplitId] = frozenset()

    def hear(self, others: int) -> None:
        """The least event time of the other members, epoch ms."""
        self._others = others

    def ahead(self, times: Mapping[SplitId, int | None]) -> frozenset[SplitId]:
        """The splits that may not be read for now.

        Args:
            times: Watermarks of the splits that are not idle; None: no row came yet.
        """
        known = {split: time for split, time in times.items() if time is not None}
        if not known:
            return frozenset()
        if self._first is None:
            self._first = min(known.values())
        bound = END_OF_TIME if self._others is None else self._others
        if self._others is None or len(known) < len(times):  # who is silent may be far behind
            bound = min(bound, self._first)
        rests = of_the_others(known)
        self._ahead = frozenset(
            split
            for split, time in known.items()
            if time > min(bound, rests[split]) + self._allowed(split)
        )
        return self._ahead

    def _allowed(self, split: SplitId) -> int:
        """One that waits goes on when it is half as far ahead: each stop costs a fetch."""
        return self._drift // 2 if split in self._ahead else self._drift


def of_the_others(times: Mapping[K, int]) -> dict[K, int]:
    """For each the least time of the others; END_OF_TIME: there are none.

    >>> of_the_others({"a": 3, "b": 1, "c": 2})
    {'a': 1, 'b': 2, 'c': 1}
    """
    least, second = (*sorted(times.values())[:2], END_OF_TIME, END_OF_TIME)[:2]
    lowest = [each for each, time in times.items() if time == least]
    return {each: second if lowest == [each] else least for each in times}
