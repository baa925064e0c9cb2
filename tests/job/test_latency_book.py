"""Histograms of a run: over attempts, and of the last minute."""

from __future__ import annotations

from typing import Any

from raystream.job.latency_book import LatencyBook
from raystream.observe.histogram import Histogram


def told(*seconds: float) -> dict[str, Any]:
    histogram = Histogram()
    for each in seconds:
        histogram.add(each)
    return {"out": histogram.told()}


def test_what_a_failed_attempt_counted_stays() -> None:
    book = LatencyBook()
    book.end_attempt([told(1.0), told(1.0, 1.0)])
    (status,) = book.statuses([told(1.0)], 5.0)
    assert (status.name, status.count, status.sum_s) == ("out", 4, 4.0)


def test_quantiles_are_of_the_last_minute_and_counts_of_all() -> None:
    book = LatencyBook()
    for second in range(0, 100, 5):
        (status,) = book.statuses([told(*[5.0] * 10)], float(second))
    (status,) = book.statuses([told(*[5.0] * 10, 0.01)], 100.0)
    assert status.count == 11
    assert status.p99_s is not None
    assert status.p99_s <= 0.01


def test_without_rows_in_the_last_minute_there_is_no_quantile() -> None:
    book = LatencyBook()
    for second in range(0, 100, 5):
        (status,) = book.statuses([told(5.0)], float(second))
    assert (status.count, status.p50_s) == (1, None)


def test_nothing_told_is_nothing_known() -> None:
    assert LatencyBook().statuses([{}, {}], 0.0) == ()
