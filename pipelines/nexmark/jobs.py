"""A job for each query of Nexmark, from Kafka to Kafka: topics person, auction, bid; nexmark-q0, ..

`raystream run pipelines/nexmark/jobs.py:q12`. The queries are functions of their input streams in
the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import auctions
import bids
import joins
import totals
import windows
from events import SCHEMAS as SCHEMAS  # noqa: PLC0414 - for those who read the topics
from events import Events

import raystream as rs
from raystream.api.stream import Stream

Query = Callable[[Events], Stream]

QUERIES: Mapping[str, Query] = {
    query.__name__: query
    for query in (
        bids.q0,
        bids.q1,
        bids.q2,
        joins.q3,
        auctions.q4,
        windows.q5,
        auctions.q6,
        windows.q7,
        joins.q8,
        auctions.q9,
        bids.q10,
        windows.q11,
        windows.q12,
        joins.q13,
        bids.q14,
        totals.q15,
        totals.q16,
        totals.q17,
        totals.q18,
        totals.q19,
        joins.q20,
        bids.q21,
        bids.q22,
        joins.q23,
    )
}
"""Every query by its name."""

PARTITIONS: Mapping[str, tuple[str, ...]] = {"q10": ("dt", "hm")}
"""Queries that are logged to files, too, in directories with the values of these columns."""

UPSERTS = frozenset({"q4", "q9", "q18", "q19"})
"""Queries whose rows replace each other, by key; those of the others stay."""


def write(name: str, result: Stream, sink: Any) -> None:
    """Write the result of a query."""
    result.write(sink, changes="upsert" if name in UPSERTS else None, name=name)


def on_kafka(name: str, prefix: str = "", directory: str = ".") -> rs.Pipeline:
    """The job of a query.

    Args:
        name: `q0` to `q23`.
        prefix: In front of the name of each topic.
        directory: Where q10 makes the directory `nexmark-q10` with its files.
    """
    kafka = rs.Kafka("kafka:9092")
    p = rs.Pipeline(f"nexmark-{name}", checkpoint_interval="2s")
    events = Events(p, lambda kind: kafka.topic(f"{prefix}{kind}"))
    result = QUERIES[name](events)
    write(name, result, kafka.topic(f"{prefix}nexmark-{name}"))
    if name in PARTITIONS:
        files = rs.Files(f"{directory}/nexmark-{name}", partition_by=PARTITIONS[name])
        result.write(files, name=f"{name}-files")
    return p


globals().update({name: on_kafka(name) for name in QUERIES})
