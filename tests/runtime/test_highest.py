"""The latest event time of each split, of runs of any length."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.runtime.source_times import highest_of

TIMES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
RUNS = st.lists(st.tuples(st.sampled_from("abc"), st.lists(TIMES, max_size=4)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(runs=RUNS)
def test_it_is_the_maximum_over_the_runs_of_a_split(runs):
    times, placed = [], []
    for split, values in runs:
        placed.append((split, len(times), len(times) + len(values), None))
        times += values
    wanted = {}
    for split, values in runs:
        for value in values:
            if value is not None:
                wanted[split] = max(wanted.get(split, value), value)
    assert highest_of(pl.Series(times, dtype=pl.Int64), placed) == wanted


def test_rows_between_runs_are_of_no_split():
    times = pl.Series([1, 100, 3, 200])
    assert highest_of(times, [("a", 0, 1, None), ("b", 2, 3, None)]) == {"a": 1, "b": 3}
    assert highest_of(times, [("a", 0, 1, None)]) == {"a": 1}
