"""Rows of one group, whatever their hashes are like."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.state.grouping import first_alike

hashes = st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(2**64 - 4, 2**64 - 1)
rows = st.lists(st.tuples(hashes, st.sampled_from([-(2**62), -60_000, 0, 1, 60_000])), max_size=50)


@settings(max_examples=50)
@given(rows)
def test_the_first_row_of_a_group_is_that_of_a_dict(given_rows: list[tuple[int, int]]) -> None:
    firsts: dict[tuple[int, int], int] = {}
    wanted = [firsts.setdefault(row, number) for number, row in enumerate(given_rows)]
    by_hash = np.array([value for value, _ in given_rows], np.uint64)
    found = first_alike(by_hash, np.array([bucket for _, bucket in given_rows], np.int64))
    assert found.tolist() == wanted


def test_many_rows_in_chunks_with_few_slots_for_their_groups() -> None:
    """Every row is a group of its own but for the last ones: a third has no slot at first."""
    random = np.random.default_rng(5)
    alone = random.integers(0, 2**64, 30_000, np.uint64)
    every = np.concatenate([alone, alone[:700]])
    for buckets in (np.zeros(len(every), np.int64), np.arange(len(every)) % 30_000 % 7):
        found = first_alike(every, buckets)
        assert found.tolist() == [*range(30_000), *range(700)]


def test_groups_that_have_one_slot_at_every_try_are_found_by_sort() -> None:
    """Buckets and hashes whose tags are equal: they share a slot whatever the factor is."""
    mixed = np.uint64(0xD6E8FEB86659FD93)
    buckets = np.array([0, 1, 2, 1, 0])
    every = buckets.astype(np.uint64) * mixed
    assert first_alike(every, buckets).tolist() == [0, 1, 2, 1, 0]
