"""Generated events of Nexmark: the benchmark's proportions, the same rows in any portion."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import polars as pl
import pytest

import raystream as rs
from tests.nexmark.jobs import QUERIES, SCHEMAS

ends: Any = import_module("ends")
generator: Any = import_module("generator")
EVENTS = 50_000


def made(kind: str) -> pl.DataFrame:
    columns = rs.Schema.of(SCHEMAS[kind]).columns
    return generator.Generator().frame(kind, np.arange(EVENTS // 50), columns)


def test_kinds_come_in_their_proportions() -> None:
    assert [made(kind).height for kind in ("person", "auction", "bid")] == [1000, 3000, 46_000]
    for kind, columns in SCHEMAS.items():
        frame = made(kind)
        assert dict(frame.schema) == dict(rs.Schema.of(columns).columns)
        assert sum(frame.null_count().row(0)) == 0
        assert frame["dateTime"].is_sorted()


def test_ids_are_those_of_events_that_came_before_or_soon_will() -> None:
    person, auction, bid = (made(kind) for kind in ("person", "auction", "bid"))
    assert person["id"].to_list() == list(range(1000, 2000))
    assert auction["id"].to_list() == list(range(1000, 4000))
    assert (auction["expires"] > auction["dateTime"]).all()
    newest = 1000 + np.arange(46_000) // 46 * 3 + 2
    assert (bid["auction"].to_numpy() <= newest + 10).all()
    assert (bid["auction"].to_numpy() >= np.maximum(newest // 100 * 100 - 100, 1000)).all()
    hot = (bid["auction"] % 100 == 0).mean()
    assert 0.48 < hot < 0.54
    assert 0.73 < (bid["bidder"] % 100 == 1).mean() < 0.79


def test_prices_and_channels_are_those_of_the_benchmark() -> None:
    bid = made("bid")
    assert bid["price"].min() >= 100
    assert bid["price"].max() <= 10**8
    assert 80_000 < bid["price"].median() < 125_000
    assert 0.48 < bid["channel"].is_in(["Google", "Facebook", "Baidu", "Apple"]).mean() < 0.52
    assert 0.43 < bid["url"].str.contains("&channel_id=").mean() < 0.47


@pytest.mark.parametrize("portion", [1, 700, 2000])
def test_any_portions_give_the_same_rows(portion: int) -> None:
    """Two partitions, a restart in the middle of what was made ahead."""
    from raystream.connectors.base import ReadOptions, Split

    source = ends.Generated("bid", EVENTS, 2)
    options = ReadOptions(rs.Schema.of({"auction": int, "price": int, "dateTime": int}))
    found = []
    for split in source.discover(bounded=True):
        for start, end in ((0, 123), (123, split.end)):
            reader = source.reader(None, options)
            reader.add(Split(split.id, start, end))
            while not reader.finished():
                chunk = reader.poll(portion)
                assert chunk.runs[0].last == chunk.frame.height
                found.append(chunk.frame)
            assert reader.poll(portion) is None
    right = made("bid").select("auction", "price", "dateTime")
    assert pl.concat(found).sort(pl.all()).equals(right.sort(pl.all()))


def test_a_query_of_generated_events_runs_to_its_end() -> None:
    events: Any = import_module("events")
    p = rs.Pipeline("generated", checkpoint_storage="memory://generated")
    out = rs.Collect()
    QUERIES["q12"](events.Events(p, lambda kind: ends.Generated(kind, EVENTS))).write(out)
    assert p.run(until="latest", local=True, parallelism=2).kind == "finished"
    assert sum(row["bid_count"] for row in out.rows()) == 46_000
