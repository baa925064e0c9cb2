"""The three streams of Nexmark (persons, auctions, bids) as every query reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import raystream as rs
from raystream.api.stream import Stream

PERSON = {
    "id": "int",
    "name": "string",
    "emailAddress": "string",
    "creditCard": "string",
    "city": "string",
    "state": "string",
    "dateTime": "int",
    "extra": "string",
}
AUCTION = {
    "id": "int",
    "itemName": "string",
    "description": "string",
    "initialBid": "int",
    "reserve": "int",
    "dateTime": "int",
    "expires": "int",
    "seller": "int",
    "category": "int",
    "extra": "string",
}
BID = {
    "auction": "int",
    "bidder": "int",
    "price": "int",
    "channel": "string",
    "url": "string",
    "dateTime": "int",
    "extra": "string",
}
SCHEMAS = {"person": PERSON, "auction": AUCTION, "bid": BID}
"""Columns by topic; `dateTime` and `expires` are epoch ms."""

WATERMARK = rs.Watermark(out_of_orderness="4s")


class Events:
    """The streams of one pipeline; one that no query asks for is not read.

    Args:
        pipeline: Where they are read.
        source: Called with `person`, `auction` or `bid`.
    """

    def __init__(self, pipeline: rs.Pipeline, source: Callable[[str], Any]) -> None:
        self._pipeline = pipeline
        self._source = source

    @cached_property
    def person(self) -> Stream:
        """People who sell and bid."""
        return self._read("person")

    @cached_property
    def auction(self) -> Stream:
        """Auctions that people open."""
        return self._read("auction")

    @cached_property
    def bid(self) -> Stream:
        """Bids on auctions."""
        return self._read("bid")

    @cached_property
    def side(self) -> Stream:
        """The bounded table of q13: a value for each number below 10,000."""
        rows = [{"key": n, "value": str(n)} for n in range(10_000)]
        kinds = {"key": "int", "value": "string"}
        return self._pipeline.read(rs.Rows(rows), schema=kinds, name="side")

    def _read(self, name: str) -> Stream:
        return self._pipeline.read(
            self._source(name),
            schema=SCHEMAS[name],
            event_time="dateTime",
            watermark=WATERMARK,
            name=name,
        )
