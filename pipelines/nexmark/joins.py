"""Queries of joined streams: q3, q8, q13, q20, q23."""

from __future__ import annotations

from events import Events

from raystream.api.stream import Stream


def q3(events: Events) -> Stream:
    """Who sells in three states in category 10, and which auctions."""
    sellers = events.person.filter("state IN ('OR', 'ID', 'CA')")
    auctions = events.auction.filter("category = 10").select("id", "seller")
    people = sellers.select("name", "city", "state", seller="id")
    return auctions.join(people, on="seller").select("name", "city", "state", "id")


def q8(events: Events) -> Stream:
    """People who joined and opened an auction in the same ten seconds."""
    start = "dateTime // 10000 * 10000"
    people = events.person.select("id", "name", stime=start)
    sellers = events.auction.select(id="seller", stime=start)
    return people.join(sellers, on=["id", "stime"], within=("-10s", "10s"), how="semi")


def q13(events: Events) -> Stream:
    """Every bid with the value that a bounded table has for its auction."""
    bids = events.bid.select("auction", "bidder", "price", "dateTime", key="auction % 10000")
    return bids.lookup(events.side, "key").drop("key")


def q20(events: Events) -> Stream:
    """Bids on auctions of category 10 with the auction."""
    auctions = events.auction.filter("category = 10")
    sold = auctions.rename(id="auction", dateTime="auction_dateTime", extra="auction_extra")
    bids = events.bid.rename(dateTime="bid_dateTime", extra="bid_extra")
    return bids.join(sold, on="auction")


def q23(events: Events) -> Stream:
    """Bids of people who also sell, with the person and each of their auctions."""
    bids = events.bid.select("bidder", "price", "channel", "url", bid_extra="extra")
    people = events.person.rename(id="person_id", extra="person_extra").drop("dateTime")
    sold = events.auction.rename(dateTime="auction_dateTime", extra="auction_extra").drop("id")
    with_person = bids.join(people, on={"bidder": "person_id"}).with_columns(person_id="bidder")
    return with_person.join(sold, on={"bidder": "seller"}).with_columns(seller="bidder")
