"""CPU of one job against the same job with one thing changed: checkpoints, keys, partitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from tests.support.bench.drain import sizes
from tests.support.bench.figure import Figure
from tests.support.bench.lab import Lab, Ran
from tests.support.generator import request_blocks

_NEVER = "1h"


@dataclass(frozen=True, slots=True)
class Way:
    """A topic, and how the job reads it.

    Args:
        keys: Number of IPs.
        partitions: Of the topic.
        more: Of the order.
    """

    keys: int = 100_000
    partitions: int = 4
    more: tuple[tuple[str, Any], ...] = (("local", True), ("parallelism", 1))


def checkpoints(lab: Lab) -> list[Figure]:
    """CPU with a checkpoint every 2 s and every 0.5 s, against none but the last."""
    _, n = sizes(lab)
    cost = {}
    for interval in (_NEVER, "2s", "0.5s"):
        source = lab.requests(n)
        order = lab.order("requests", source, lab.target(), interval=interval)
        cost[interval] = _per_row(lab.drain(order))
        lab.check(source, order.target)
    return [
        Figure(
            f"checkpoints every {interval} against none, CPU",
            ((cost[interval] / cost[_NEVER] - 1) * 100,),
            "%",
            target,
            beside=f"{cost[_NEVER]:.2f} us per record without",
        )
        for interval, target in (("2s", 5.0), ("0.5s", 12.0))
    ]


def keys(lab: Lab) -> list[Figure]:
    """CPU per further record at more keys."""
    base = _marginal(lab, Way())
    found = []
    for number, target, quick in ((1_000_000, 1.3, True), (10_000_000, 2.0, False)):
        if quick or not lab.quick:
            more = _marginal(lab, Way(keys=number))
            name = f"CPU per record, {number // 1_000_000} M keys against 100 k"
            found.append(_against(name, more, base, target))
    return found


def partitions(lab: Lab) -> list[Figure]:
    """CPU per further record at more and fewer partitions than four."""
    base = _marginal(lab, Way())
    return [
        _against(
            f"CPU per record, {number} partitions against 4",
            _marginal(lab, Way(partitions=number)),
            base,
            1.2,
        )
        for number in (64, 1)
    ]


def one_to_one(lab: Lab) -> list[Figure]:
    """Rows per second and core of jobs that write a row for each row."""
    found = []
    for kind, name, target in (
        ("one_to_one", "filter and with_columns, Kafka to Kafka, per core", 300.0),
        ("dict_function", "map with a plain dict function, per core", 150.0),
    ):
        us = _marginal(lab, Way(), kind, lab.size(200_000, 500_000), lab.size(1_000_000, 3_000_000))
        beside = f"{us:.2f} us CPU per record"
        found.append(Figure(name, (1000 / us,), "k rows/s", target, ">=", beside))
    return found


def _against(name: str, cost: float, base: float, target: float) -> Figure:
    said = f"{cost:.2f} and {base:.2f} us"
    return Figure(name, (cost / base,), "x", target, beside=said)


def _marginal(lab: Lab, way: Way, kind: str = "requests", few: int = 0, many: int = 0) -> float:
    few, many = few or lab.size(500_000, 2_000_000), many or lab.size(3_000_000, 8_000_000)
    used = []
    for n in (few, many):
        source = lab.requests(n, keys=way.keys, partitions=way.partitions)
        order = lab.order(kind, source, lab.target(), **dict(way.more))
        used.append(lab.drain(order, _rows(kind, n)).all_cpu)
        if kind == "requests":
            lab.check(source, order.target)
    return (used[1] - used[0]) * 1e6 / (many - few)


def _rows(kind: str, n: int) -> int:
    """What the counts, or rows, of the committed output of n requests add up to."""
    if kind != "one_to_one":
        return n
    return sum(block.filter(pl.col("status") != 404).height for block in request_blocks(n))


def _per_row(ran: Ran) -> float:
    """CPU us per row of the job's own processes, start included: it is the same for all."""
    return ran.cpu["job"] * 1e6 / float(max(one["rows"] for one in ran.statuses))
