"""The latency of rows: from their time to the commit of the checkpoint that holds them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raystream.data.batch import TIME
from raystream.observe.histogram import Histogram, histogram_status
from raystream.runtime.commit_latency import CommitLatency

T = 1_700_000_000_000


def rows(*times: int | None) -> pl.DataFrame:
    return pl.DataFrame({"n": range(len(times)), TIME: pl.Series(times, dtype=pl.Int64)})


def status(histogram: Histogram) -> tuple[int, float]:
    found = histogram_status("out", [histogram.told()])
    return found.count, found.sum_s


def test_a_row_waits_for_the_commit_of_its_checkpoint() -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram)
    latency.wrote(rows(T - 1000), T)
    latency.seal(1, T + 10)
    latency.wrote(rows(T + 50), T + 100)  # of the next checkpoint
    assert status(histogram) == (0, 0.0)
    latency.committed(1, T + 2000)
    assert status(histogram) == (1, pytest.approx(3.0, rel=0.05))
    latency.committed(1, T + 9000)
    assert status(histogram)[0] == 1
    latency.seal(2, T + 3000)
    latency.committed(2, T + 4050)
    assert status(histogram) == (2, pytest.approx(7.0, rel=0.05))


def test_a_later_commit_counts_the_checkpoints_before_it() -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram)
    for number in (1, 2):
        latency.wrote(rows(T), T)
        latency.seal(number, T)
    latency.committed(2, T + 1000)
    assert status(histogram) == (2, pytest.approx(2.0, rel=0.05))


def test_without_transactions_rows_are_seen_when_they_are_written() -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram, transactional=False)
    latency.wrote(rows(T - 1000, T - 1000), T)
    latency.wrote(rows(T - 1000), T + 60)
    latency.seal(1, T + 5000)
    assert status(histogram) == (3, pytest.approx(3.06, rel=0.05))


def test_rows_from_the_future_have_no_latency_and_rows_without_time_none_to_count() -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram)
    latency.wrote(rows(T + 10**9, None), T)
    latency.wrote(pl.DataFrame({"n": [1]}), T)
    latency.wrote(rows(), T)
    latency.seal(1, T)
    latency.committed(1, T + 1)
    assert status(histogram)[0] == 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.lists(st.integers(-(10**6), 10**4), max_size=5)),
        max_size=30,
    ),
    st.booleans(),
)
def test_every_row_is_counted_once_with_its_age(
    writes: list[tuple[int, list[int]]], transactional: bool
) -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram, transactional=transactional)
    now, expected = T, []
    for wait, times in writes:
        now += wait
        latency.wrote(rows(*(now + each for each in times)), now)
        expected += [(now + each, now) for each in times]
    latency.seal(1, now + 5)
    latency.committed(1, now + 1000)
    ages = [((now + 1000 if transactional else at) - time) for time, at in expected]
    count, sum_s = status(histogram)
    assert count == len(ages)
    assert sum_s == pytest.approx(
        sum(max(0, age) for age in ages) / 1000, rel=0.06, abs=0.02 * len(ages) + 0.2
    )


@pytest.mark.parametrize("count", [1024, 1025, 3000, 20_001])
def test_of_many_rows_at_once_none_is_lost(count: int) -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram)
    latency.wrote(rows(*(T - age for age in range(count))), T)
    latency.seal(1, T)
    latency.committed(1, T)
    assert status(histogram) == (count, pytest.approx(count * count / 2000, rel=0.05))


def test_many_groups_stay_few_and_lose_nothing() -> None:
    histogram = Histogram()
    latency = CommitLatency(histogram)
    for step in range(1000):
        now = T + 200 * step
        latency.wrote(rows(now - 500), now)
    latency.seal(1, T + 200_000)
    latency.committed(1, T + 200_000)
    count, sum_s = status(histogram)
    assert count == 1000
    assert sum_s == pytest.approx(sum(0.5 + 0.2 * (1000 - k) for k in range(1000)), rel=0.15)
