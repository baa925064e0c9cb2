"""Queries of winning bids: q4, q6, q9."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from events import Events

import raystream as rs
from raystream.api.stream import Stream


class LastEleven(rs.Process):
    """The average of this winning price and of up to ten before it, by the time of the bid.

    Left are the winning bids of auctions that have ended, right auctions as they open. A winner
    waits while an auction of its seller is open that could be won by an earlier bid.
    """

    won: rs.Map[int, list[int]]
    """By auction: the winning bid's time and price, of those that wait."""
    opened: rs.Map[int, list[int]]
    """By auction: when it opened, and when it ends."""
    prices: rs.List[int]

    def on_left(self, row: dict[str, Any], ctx: Any) -> None:
        """Keep the winner; the timer of its auction comes behind it."""
        self.won[row["id"]] = [row["at"], row["price"]]

    def on_right(self, row: dict[str, Any], ctx: Any) -> None:
        """Remember the auction to its end."""
        self.opened[row["id"]] = [row["dateTime"], row["expires"]]
        ctx.timer(row["expires"] + 1)

    def on_timer(self, at: int, ctx: Any) -> Iterator[dict[str, Any]]:
        """An auction has ended: give the winners that nothing earlier can precede any more."""
        for auction, (_, expires) in list(self.opened.items()):
            if expires < at:
                del self.opened[auction]
        first = min((opened for opened, _ in self.opened.values()), default=at)
        ready = sorted((*bid, auction) for auction, bid in self.won.items() if bid[0] < first)
        for _, price, auction in ready:
            del self.won[auction]
            prices = [*self.prices.get(), price][-11:]
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
    bids = valid(events).with_columns(left="expires - bid_dateTime + 1")
    ends = bids.key_by("id", "seller").window(rs.session("left"))
    won = ends.agg(price=rs.max("price"), at=rs.arg_max("price", "bid_dateTime"))
    averages = {"seller": "int", "avg_price": "int"}
    return won.key_by("seller").process_with(
        events.auction.key_by("seller"), LastEleven(), schema=averages
    )


def q9(events: Events) -> Stream:
    """Each auction with its highest bid, of equal ones the first; a better one replaces it."""
    return valid(events).key_by("id").top(1, by=["price", "bid_dateTime asc"])
