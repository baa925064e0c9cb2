from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raystream.ids import SubtaskId
from raystream.job.placement import avoidable, in_starting_order, shares, slots
from tests.job.example import plan


def test_one_subtask_of_every_chain_shares_a_cpu() -> None:
    assert shares(plan(2), [2.0]).cpus == {"read": 0.5, "count": 0.5}
    assert shares(plan(2), [2.0]).full
    assert slots(plan(2)) == 2


def test_full_shares_when_nobody_knows_the_cluster() -> None:
    assert shares(plan(8), []).full


@pytest.mark.parametrize("free", [[1.0], [0.5, 0.4], [0.1], [0.3, 0.0, 0.3]])
def test_smaller_shares_when_too_few_cpus_are_left(free: list[float]) -> None:
    smaller = shares(plan(2), free)
    assert not smaller.full
    assert smaller.note() == "too few CPUs: subtasks share them in smaller parts"
    part = smaller.cpus["read"]
    assert 0 < part < 0.5
    assert sum(int(cpus / part + 1e-6) for cpus in free) >= 4


def test_it_never_waits_for_ever_even_with_no_cpu_at_all() -> None:
    assert shares(plan(2), [0.0]).cpus["read"] > 0


@given(st.integers(1, 16), st.lists(st.floats(0, 8), max_size=5))
def test_shares_are_positive_and_no_larger_than_full(parallelism: int, free: list[float]) -> None:
    found = shares(plan(parallelism), free)
    assert all(0 < part <= 0.5 for part in found.cpus.values())
    assert found.full == all(part == 0.5 for part in found.cpus.values())


def test_suspects_are_avoided_unless_nobody_is_left() -> None:
    assert avoidable({"n1"}, {"n1", "n2"}) == {"n1"}
    assert avoidable({"n1", "n2"}, {"n1", "n2"}) == frozenset()
    assert avoidable({"n1"}, ()) == {"n1"}


def test_subtasks_are_started_slot_by_slot() -> None:
    order = in_starting_order(plan(2))
    assert order == [
        SubtaskId("read", 0),
        SubtaskId("count", 0),
        SubtaskId("read", 1),
        SubtaskId("count", 1),
    ]
    assert all(one.index <= two.index for one, two in pairwise(order))
