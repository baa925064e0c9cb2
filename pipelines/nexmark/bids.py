"""Queries of single bids: q0, q1, q2, q10, q14, q21, q22."""

from __future__ import annotations

from events import Events

from raystream.api.stream import Stream


def q0(events: Events) -> Stream:
    """Every bid, without channel and url."""
    return events.bid.select("auction", "bidder", "price", "dateTime", "extra")


def q1(events: Events) -> Stream:
    """Prices in euros, exact to three decimals."""
    euros = "CAST(price AS DECIMAL(20, 0)) * 0.908"
    return events.bid.select("auction", "bidder", "dateTime", "extra", price=euros)


def q2(events: Events) -> Stream:
    """Bids on every 123rd auction."""
    return events.bid.filter("auction % 123 = 0").select("auction", "price")


def q10(events: Events) -> Stream:
    """Every bid with its day and minute."""
    return events.bid.select(
        *("auction", "bidder", "price", "dateTime", "extra"),
        dt="strftime(CAST(dateTime AS TIMESTAMP), '%Y-%m-%d')",
        hm="strftime(CAST(dateTime AS TIMESTAMP), '%H:%M')",
    )


def q14(events: Events) -> Stream:
    """Bids of one to fifty million euros: the time of the day, and the letters c in `extra`."""
    hour = "hour(CAST(dateTime AS TIMESTAMP))"
    priced = events.bid.with_columns(price="CAST(price AS DECIMAL(20, 0)) * 0.908")
    return priced.filter("price > 1000000 AND price < 50000000").select(
        *("auction", "bidder", "price", "dateTime", "extra"),
        bidTimeType=f"CASE WHEN {hour} >= 8 AND {hour} <= 18 THEN 'dayTime' "
        f"WHEN {hour} <= 6 OR {hour} >= 20 THEN 'nightTime' ELSE 'otherTime' END",
        c_counts="length(extra) - length(replace(extra, 'c', ''))",
    )


def q21(events: Events) -> Stream:
    """Bids with a channel id: that of four well-known names, else the one in the url."""
    known = "CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' "
    known += "WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3' "
    known += "ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END"
    found = events.bid.select("auction", "bidder", "price", "channel", channel_id=known)
    return found.filter("channel_id IS NOT NULL")


def q22(events: Events) -> Stream:
    """The directories of the url."""
    parts = {f"dir{n - 3}": f"split_part(url, '/', {n})" for n in (4, 5, 6)}
    return events.bid.select("auction", "bidder", "price", "channel", parts)
