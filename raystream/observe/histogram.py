"""Histograms of seconds with fixed buckets, so that those of subtasks and attempts can be added."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

_STEPS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)

BOUNDS_S: tuple[float, ...] = tuple(
    round(step * 10.0**power, 4) for power in range(-3, 6) for step in _STEPS
)
"""Upper bounds of the buckets, 1 ms to 8 days; one more bucket takes what is longer."""

LABELS: tuple[str, ...] = (*(f"{bound:g}" for bound in BOUNDS_S), "+Inf")
"""The bounds as text, as Prometheus writes them."""

_PLACES = {label: place for place, label in enumerate(LABELS)}


class Histogram:
    """Counts of durations. One thread adds, others may read.

    >>> histogram = Histogram()
    >>> histogram.add(0.25, 3)
    >>> histogram.told()
    {'counts': {'0.3': 3}, 'sum_s': 0.75}
    """

    __slots__ = ("_counts", "_sum_s")

    def __init__(self) -> None:
        self._counts = [0] * len(LABELS)
        self._sum_s = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a duration.

        Args:
            seconds: How long; below 0 (clocks differ) counts as 0.
            times: How often.
        """
        seconds = max(0.0, seconds)
        self._counts[bisect_left(BOUNDS_S, seconds)] += times
        self._sum_s += seconds * times

    def merge(self, told: Mapping[str, Any]) -> None:
        """Add what another one told; buckets that this version does not have are ignored."""
        for label, count in told.get("counts", {}).items():
            place = _PLACES.get(label)
            if place is not None:
                self._counts[place] += count
        self._sum_s += told.get("sum_s", 0.0)

    def told(self) -> dict[str, Any]:
        """As JSON types: buckets that are not empty by their upper bound, and the sum."""
        counts = {LABELS[place]: n for place, n in enumerate(self._counts) if n}
        return {"counts": counts, "sum_s": round(self._sum_s, 6)}


@dataclass(frozen=True, slots=True)
class HistogramStatus:
    """A histogram of durations; those of several subtasks and attempts can be added.

    Args:
        name: What it is about: a sink's step, a phase of checkpoints.
        count: Number of durations.
        sum_s: Their sum, seconds.
        p50_s: Half of them are shorter, seconds; within a bucket by interpolation; None: none.
        p99_s: 99 % are shorter.
        counts: Durations in each bucket, by its upper bound in seconds (`0.3`, at last `+Inf`);
            empty buckets are left out.
    """

    name: str
    count: int = 0
    sum_s: float = 0.0
    p50_s: float | None = None
    p99_s: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    def cumulative(self) -> list[tuple[str, int]]:
        """Prometheus' buckets: upper bound, number of durations that are at most that long."""
        return list(
            zip(LABELS, accumulate(self.counts.get(each, 0) for each in LABELS), strict=True)
        )


def histogram_status(
    name: str, told: Iterable[Mapping[str, Any]], recent: Mapping[str, int] | None = None
) -> HistogramStatus:
    """The sum of histograms.

    Args:
        name: See `HistogramStatus`.
        told: What each told.
        recent: Counts from which the quantiles are made; None: all.

    >>> a, b = Histogram(), Histogram()
    >>> a.add(0.1); b.add(2.0)
    >>> histogram_status("write", [a.told(), b.told()]).count
    2
    """
    merged = Histogram()
    for each in told:
        merged.merge(each)
    all_of_it = merged.told()
    counts: dict[str, int] = all_of_it["counts"]
    chosen = counts if recent is None else recent
    return HistogramStatus(
        name,
        sum(counts.values()),
        all_of_it["sum_s"],
        quantile(chosen, 0.5),
        quantile(chosen, 0.99),
        counts,
    )


def quantile(counts: Mapping[str, int], share: float) -> float | None:
    """Duration that this share of them does not exceed, seconds, interpolated within its bucket.

    None: there are none, or it is longer than the last bound.

    >>> quantile({"2": 100}, 0.5)
    1.75
    """
    total = sum(counts.values())
    if total <= 0:
        return None
    wanted, before = share * total, 0
    for place, high in enumerate(BOUNDS_S):
        here = counts.get(LABELS[place], 0)
        if here and before + here >= wanted:
            low = BOUNDS_S[place - 1] if place else 0.0
            return round(low + (high - low) * (wanted - before) / here, 4)
        before += here
    return None
