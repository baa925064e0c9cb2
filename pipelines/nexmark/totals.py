"""Queries of totals per day: q17."""

from __future__ import annotations

from events import Events

import raystream as rs
from raystream.api.stream import Stream

DAY = "strftime(CAST(dateTime AS TIMESTAMP), '%Y-%m-%d')"
RANKS = {
    "rank1": "price < 10000",
    "rank2": "price >= 10000 AND price < 1000000",
    "rank3": "price >= 1000000",
}
"""Bids by price."""


def q17(events: Events) -> Stream:
    """Of each auction and day: bids in all and by rank, and their prices."""
    daily = events.bid.with_columns(day=DAY).key_by("auction", "day").window(rs.tumbling("1d"))
    return daily.agg(
        total_bids=rs.count(),
        **{f"{rank}_bids": rs.count(where=where) for rank, where in RANKS.items()},
        min_price=rs.min("price"),
        max_price=rs.max("price"),
        avg_price=rs.mean("price"),
        sum_price=rs.sum("price"),
    ).drop("window_start", "window_end")
