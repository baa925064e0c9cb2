"""Generated input is the same for the same seed, and what the base workload says it is."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from raystream.verify.compare import compare
from tests.support import generator, oracle

N = 50_000


def test_the_same_seed_gives_the_same_rows() -> None:
    assert generator.requests(N, 7).equals(generator.requests(N, 7))
    assert not generator.requests(N, 7).equals(generator.requests(N, 8))


def test_records_have_84_bytes_within_a_few() -> None:
    sizes = generator.to_json(generator.requests(N)).str.len_bytes()
    assert 80 <= float(sizes.mean()) <= 86  # type: ignore[arg-type]
    first = json.loads(generator.to_json(generator.requests(1))[0])
    assert list(first) == ["ts", "ip", "status", "bytes", "path"]


def test_times_are_out_of_order_by_up_to_five_seconds() -> None:
    ts = generator.requests(N, per_second=1000)["ts"]
    behind = (ts.cum_max() - ts).max()
    assert 4_500 < behind < 5_000  # type: ignore[operator]


def test_ips_follow_zipf() -> None:
    counts = generator.requests(N, keys=1000)["ip"].value_counts(sort=True)["count"]
    assert 1.9 < counts[0] / counts[1] < 2.4
    assert counts.len() <= 1000


def test_blocks_make_one_stream() -> None:
    frame = pl.concat(generator.request_blocks(1_200_000))
    assert frame.height == 1_200_000
    assert frame["ts"].is_between(generator.START_MS, generator.START_MS + 60_000).all()


def test_files_hold_every_row_once(tmp_path: Path) -> None:
    frame = generator.requests(1001)
    paths = generator.write_files(frame, tmp_path, 3)
    back = pl.concat(pl.read_ndjson(path) for path in paths)
    assert [path.name for path in paths] == ["part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]
    assert back.sort(pl.all()).equals(frame.sort(pl.all()))


def test_oracle_counts_as_a_dict_does() -> None:
    frame = generator.requests(5000, keys=20, per_second=50)
    counts: dict[tuple[str, int], int] = {}
    for ts, ip in frame.select("ts", "ip").iter_rows():
        counts[ip, ts // 60_000 * 60_000] = counts.get((ip, ts // 60_000 * 60_000), 0) + 1
    rows = [
        {"ip": ip, "window_start": at, "window_end": at + 60_000, "count": n}
        for (ip, at), n in counts.items()
    ]
    assert compare(oracle.requests_per_minute(frame), rows, ["ip", "window_start"]).same


def test_running_totals_grow_to_the_whole() -> None:
    frame = generator.orders(3000, per_second=20)
    start = generator.START_MS
    totals = oracle.running_totals(frame, 3_600_000, 60_000, start)
    last = totals.filter(pl.col("window_end") == start + 3_600_000)
    assert last["orders"].sum() == frame.height
    assert last["amount"].sum() == (frame["quantity"] * frame["price"]).sum()


def test_campaigns_are_counted_in_every_window_they_are_in() -> None:
    frame = generator.app_events(20_000, per_second=20)
    effect = oracle.campaign_effect(frame)
    assert effect["purchases"].sum() == frame.filter(event="purchase").height * 10
    assert effect["revenue"].sum() == frame["amount"].sum() * 10
    row = effect.filter(pl.col("impressions") > 0).row(0, named=True)
    assert row["click_rate"] == row["clicks"] / row["impressions"]
