"""Filters rule out most hashes that a run does not have, and none that it has."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.state.slot_filter import Needles, SlotFilter

hashes = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), min_size=1, max_size=30)


@settings(max_examples=50)
@given(hashes, hashes, st.sampled_from([64, 63, 2, 1, 0]))
def test_a_hash_that_is_there_is_never_ruled_out(
    there: list[int], asked: list[int], bits: int
) -> None:
    run, wanted = (
        np.sort(np.array(each, np.uint64) >> np.uint64(min(63, 64 - bits)))
        for each in (there, [*asked, *there[:3]])
    )
    if not bits:
        run, wanted = run * np.uint64(0), wanted * np.uint64(0)
    found = SlotFilter(run, bits).maybe(Needles(wanted)).tolist()
    assert found == sorted(set(found))
    assert set(np.flatnonzero(np.isin(wanted, run)).tolist()) <= set(found)


def test_few_others_are_not_ruled_out_in_runs_of_any_size() -> None:
    random = np.random.default_rng(1)
    needles = Needles(np.sort(random.integers(0, 2**64, 20_000, np.uint64)))
    for rows in (70_000, 100_000, 5):
        some = SlotFilter(np.sort(random.integers(0, 2**64, rows, np.uint64)), 64)
        assert len(some.maybe(needles)) < 0.08 * 20_000
        assert some.nbytes <= 4 * rows
