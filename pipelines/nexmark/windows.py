"""Queries of windows: q5, q7, q11, q12."""

from __future__ import annotations

from events import Events

import raystream as rs
from raystream.api.stream import Stream


def q5(events: Events) -> Stream:
    """The auctions with the most bids in the last ten seconds, every two seconds."""
    counts = events.bid.key_by("auction").window(rs.hopping("10s", "2s")).agg(num=rs.count())
    most = counts.key_by().window(rs.tumbling("2s")).agg(num=rs.max("num"))
    hot = counts.join(most, on=["num", "window_end"], within="0s", how="semi")
    return hot.select("auction", "num")


def q7(events: Events) -> Stream:
    """The bids with the highest price of each ten seconds."""
    bids = events.bid.select("auction", "bidder", "price", "dateTime", "extra")
    highest = bids.window(rs.tumbling("10s")).agg(price=rs.max("price"))
    return bids.join(highest, on="price", within=("0s", "9999ms"), how="semi")


def q11(events: Events) -> Stream:
    """Bids of each user per session: until there is no bid for more than ten seconds."""
    counts = events.bid.key_by("bidder").window(rs.session("10s")).agg(bid_count=rs.count())
    return counts.rename(window_start="starttime", window_end="endtime")


def q12(events: Events) -> Stream:
    """Bids of each user in windows of ten seconds (event time here)."""
    counts = events.bid.key_by("bidder").window(rs.tumbling("10s")).agg(bid_count=rs.count())
    return counts.rename(window_start="starttime", window_end="endtime")
