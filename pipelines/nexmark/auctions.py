"""Queries of winning bids: q4, q6, q9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from events import Events

import raystream as rs
from raystream.api.stream import Stream


class LastEleven(rs.Process):
    """The average of this winning price and of up to ten before it, by the time of the bid.

    A winning bid waits while the best one so far of an open auction of its seller is earlier. An
    auction whose bids are all later than the watermark cannot have an earlier one.
    """

    best: rs.Map[int, str]
    """By auction: of those that are open, and of those that have ended and wait."""
    prices: rs.List[int]

    def on_row(self, row: dict[str, Any], ctx: Any) -> None:
        """Keep the better of two bids."""
        before = self.best.get(row["id"])
        if before is None:
            ctx.timer(row["expires"] + 1)
        if before is None or _better(row, json.loads(before)):
            kept = {name: row[name] for name in ("price", "bid_dateTime", "expires")}
            self.best[row["id"]] = json.dumps(kept)

    def on_timer(self, at: int, ctx: Any) -> Iterator[dict[str, Any]]:
        """An auction has ended: give the winners that nothing earlier can precede any more."""
        best = {auction: json.loads(bid) for auction, bid in self.best.items()}
        still_open = [bid["bid_dateTime"] for bid in best.values() if bid["expires"] >= at]
        first = min(still_open, default=at)
        before = {n: bid for n, bid in best.items() if bid["bid_dateTime"] < first}
        ended = [n for n, bid in before.items() if bid["expires"] < at]
        for auction in sorted(ended, key=lambda n: before[n]["bid_dateTime"]):
            del self.best[auction]
            prices = [*self.prices.get(), before[auction]["price"]][-11:]
            self.prices.set(prices)
            yield {"seller": ctx.key, "avg_price": sum(prices) // len(prices)}


def valid(events: Events) -> Stream:
    """Each auction with each bid that came while it was open, its end included."""
    bids = events.bid.select(
        *("auction", "bidder", "price"), bid_dateTime="dateTime", bid_extra="extra"
    )
    joined = events.auction.join(bids, on={"id": "auction"}, within=("0s", "expires"))
    return joined.with_columns(auction="id")


def q4(events: Events) -> Stream:
    """The average winning price of each category, which changes with every higher bid."""
    final = valid(events).key_by("id", "category").aggregate(final=rs.max("price"))
    averages = final.key_by("category").aggregate(final=rs.mean("final"))
    return averages.rename(category="id")


def q6(events: Events) -> Stream:
    """The average winning price of a seller's last eleven auctions."""
    averages = {"seller": "int", "avg_price": "int"}
    return valid(events).key_by("seller").process(LastEleven(), schema=averages)


def q9(events: Events) -> Stream:
    """Each auction with its highest bid, of equal ones the first; a better one replaces it."""
    return valid(events).key_by("id").top(1, by=["price", "bid_dateTime asc"])


def _better(row: dict[str, Any], other: dict[str, Any]) -> bool:
    if row["price"] != other["price"]:
        return bool(row["price"] > other["price"])
    return bool(row["bid_dateTime"] < other["bid_dateTime"])
