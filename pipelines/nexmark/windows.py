"""Queries of windows: q12."""

from __future__ import annotations

from events import Events

import raystream as rs
from raystream.api.stream import Stream


def q12(events: Events) -> Stream:
    """Bids of each user in windows of ten seconds (event time here)."""
    counts = events.bid.key_by("bidder").window(rs.tumbling("10s")).agg(bid_count=rs.count())
    return counts.rename(window_start="starttime", window_end="endtime")
