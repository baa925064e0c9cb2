"""Queries of totals per day, given when it is over: q15, q16, q17; last and best bids: q18, q19."""

from __future__ import annotations

from events import Events

import raystream as rs
from raystream.api.stream import Stream

DAY = "strftime(CAST({} AS TIMESTAMP), '%Y-%m-%d')"
RANKS = {
    "rank1": "price < 10000",
    "rank2": "price >= 10000 AND price < 1000000",
    "rank3": "price >= 1000000",
}
"""Bids by price."""


def q15(events: Events) -> Stream:
    """Of each day: bids, and who bids on how many auctions, in all and by rank."""
    return _statistics(events, [])


def q16(events: Events) -> Stream:
    """The same for each channel, and the last minute of a bid."""
    return _statistics(events, ["channel"])


def q17(events: Events) -> Stream:
    """Of each auction and day: bids in all and by rank, and their prices."""
    daily = events.bid.key_by("auction").window(rs.tumbling("1d"))
    totals = daily.agg(
        **_ranked(),
        min_price=rs.min("price"),
        max_price=rs.max("price"),
        avg_price=rs.mean("price"),
        sum_price=rs.sum("price"),
    )
    return _with_day(totals)


def q18(events: Events) -> Stream:
    """The last bid of each bidder on each auction, by event time; a later one replaces it."""
    names = ("price", "channel", "url", "dateTime", "extra")
    bids = events.bid.key_by("bidder", "auction")
    return bids.aggregate(**{name: rs.last(name) for name in names})


def q19(events: Events) -> Stream:
    """The ten highest bids of each auction with their rank; of equal ones the first."""
    highest = events.bid.key_by("auction").top(10, by=["price", "dateTime asc"], rank="rank_number")
    return highest.key_by("auction", "rank_number")


def _ranked() -> dict[str, rs.Aggregate]:
    """Bids in all and by rank."""
    by_rank = {f"{rank}_bids": rs.count(where=where) for rank, where in RANKS.items()}
    return {"total_bids": rs.count(), **by_rank}


def _statistics(events: Events, keys: list[str]) -> Stream:
    """Totals per bidder and per auction first, so that each of them is counted once."""
    bids = events.bid.with_columns(hm="strftime(CAST(dateTime AS TIMESTAMP), '%H:%M')")
    parts = []
    for kind in ("bidder", "auction"):
        daily = bids.key_by(*keys, kind).window(rs.tumbling("1d"))
        totals = daily.agg(**_ranked(), minute=rs.max("hm")).rename({kind: "id"})
        parts.append(totals.with_columns(kind=f"'{kind}s'").drop("window_start", "window_end"))
    both = parts[0].union(parts[1]).key_by(*keys).window(rs.tumbling("1d"))
    return _with_day(both.agg(minute=rs.max("minute"), **_sums(), **_numbers()))


def _sums() -> dict[str, rs.Aggregate]:
    """Bids: those of all bidders."""
    names = ("total_bids", *(f"{rank}_bids" for rank in RANKS))
    return {name: rs.sum(name, where="kind = 'bidders'") for name in names}


def _numbers() -> dict[str, rs.Aggregate]:
    """How many bidders and auctions have bids, and bids of a rank."""
    found = {}
    for kind in ("bidders", "auctions"):
        found[f"total_{kind}"] = rs.count(where=f"kind = '{kind}'")
        for rank in RANKS:
            found[f"{rank}_{kind}"] = rs.count(where=f"kind = '{kind}' AND {rank}_bids > 0")
    return found


def _with_day(daily: Stream) -> Stream:
    return daily.with_columns(day=DAY.format("window_start")).drop("window_start", "window_end")
