"""Splits are shared out completely, evenly, and the same way in every process."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.connectors.base import Split
from raystream.connectors.splits import assign, merge, owned, owner, resume
from raystream.errors import StorageError

ids = st.one_of(st.text(), st.builds("topic/{}".format, st.integers(0, 99)))


@given(st.lists(ids, unique=True), st.integers(1, 9))
def test_every_split_has_exactly_one_owner(names: list[str], parallelism: int) -> None:
    splits = [Split(name, 0) for name in names]
    taken = [s for index in range(parallelism) for s in owned(splits, index, parallelism)]
    assert sorted(s.id for s in taken) == sorted(names)


@given(st.text(st.characters(exclude_categories=["N", "Cs"])), st.integers(1, 9))
def test_numbered_splits_differ_by_at_most_one_per_subtask(topic: str, parallelism: int) -> None:
    counts = Counter(owner(f"{topic}/{partition}", parallelism) for partition in range(17))
    spread = [counts[index] for index in range(parallelism)]
    assert max(spread) - min(spread) <= 1


def test_owner_is_the_same_in_another_process() -> None:
    names = ["requests/0", "requests/11", "part-0007.jsonl", "no number", "ü/3"]
    code = f"from raystream.connectors.splits import owner; print([owner(n, 5) for n in {names!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([owner(name, 5) for name in names])


def test_positions_of_all_former_subtasks_are_merged() -> None:
    assert merge([{"t/0": 1}, {}, {"t/1": [2, 3]}]) == {"t/0": 1, "t/1": [2, 3]}


def test_one_split_at_two_positions_is_damage() -> None:
    with pytest.raises(StorageError, match="two positions for split t/0"):
        merge([{"t/0": 1}, {"t/0": 2}])


def test_saved_position_wins_and_a_new_split_starts_at_its_start() -> None:
    run = [Split("t/0", 0, 10), Split("t/1", 3, 10)]
    assert resume(run, {"t/0": 7}, bounded=True) == [Split("t/0", 7, 10), Split("t/1", 3, 10)]


def test_unlisted_split_keeps_its_position() -> None:
    assert resume([], {"t/9": 4}, bounded=False) == [Split("t/9", 4)]
    assert resume([], {"t/9": 4}, bounded=True) == [Split("t/9", 4, 4)]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 12))
def test_rescale_loses_no_position(before: int, after: int, partitions: int) -> None:
    run = [Split(f"t/{n}", 0) for n in range(partitions)]
    saved = [
        {s.id: int(s.id[2:]) + 100 for s in assign(run, [], i, before, bounded=False)}
        for i in range(before)
    ]
    now = [s for i in range(after) for s in assign(run, saved, i, after, bounded=False)]
    assert {s.id: s.start for s in now} == {f"t/{n}": n + 100 for n in range(partitions)}
