"""Histograms: nothing is lost when they are added, and quantiles are right within a bucket."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from raystream.observe.histogram import BOUNDS_S, LABELS, Histogram, histogram_status, quantile

durations = st.lists(st.floats(0, 1e7), max_size=60)


def told(seconds: list[float]) -> dict[str, object]:
    histogram = Histogram()
    for each in seconds:
        histogram.add(each)
    return histogram.told()


@given(durations, durations)
def test_the_sum_of_two_is_that_of_all(a: list[float], b: list[float]) -> None:
    merged, at_once = (
        histogram_status("x", parts) for parts in ([told(a), told(b)], [told(a + b)])
    )
    assert merged.counts == at_once.counts
    assert merged.count == len(a) + len(b)
    assert math.isclose(merged.sum_s, sum(a) + sum(b), rel_tol=1e-6, abs_tol=1e-3)


@given(st.lists(st.floats(0.001, 6999), min_size=1, max_size=60), st.sampled_from([0.5, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(seconds: list[float], share: float) -> None:
    counts = told(seconds)["counts"]
    found = quantile(counts, share)  # type: ignore[arg-type]
    true = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    high = next(bound for bound in BOUNDS_S if bound >= true)
    low = max([0.0, *(bound for bound in BOUNDS_S if bound < high)])
    assert found is not None
    assert low <= found <= high


def test_negative_and_endless_durations_are_counted() -> None:
    status = histogram_status("x", [told([-5.0, 1e9])])
    assert status.counts == {"0.001": 1, "+Inf": 1}
    assert status.cumulative()[0] == ("0.001", 1)
    assert status.cumulative()[-1] == ("+Inf", 2)
    assert status.p99_s is None


def test_nothing_has_no_quantile() -> None:
    status = histogram_status("x", [])
    assert (status.p50_s, status.p99_s, status.count) == (None, None, 0)


def test_buckets_of_a_newer_version_are_ignored() -> None:
    assert histogram_status("x", [{"counts": {"0.0123": 5, "1": 1}, "sum_s": 1.0}]).count == 1


def test_labels_read_back_as_the_bounds() -> None:
    assert tuple(map(float, LABELS[:-1])) == BOUNDS_S
