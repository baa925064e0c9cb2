"""Deterministic input for the three pipelines, made by columns: the same rows for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

START_MS = 1_700_000_040_000
"""Event time of the first row: a whole minute, so that tests can count windows."""

PARTITIONS = 4
OUT_OF_ORDER_MS = 5_000
KEYS = 100_000
ZIPF = 1.1
BLOCK = 500_000


def requests(
    n: int, seed: int = 1, *, first: int = 0, keys: int = KEYS, per_second: int = 20_000
) -> pl.DataFrame:
    """Web requests of the base workload: ts, ip, status, bytes, path (84 bytes as JSON).

    Args:
        n: How many rows.
        seed: Another seed, other rows.
        first: Number of the first row; blocks of one stream have different ones.
        keys: Number of IPs; their frequencies follow Zipf's law with exponent 1.1.
        per_second: Rows per second of event time. Times are out of order by up to 5 s.
    """
    random = np.random.default_rng([seed, first])
    ip = _zipf(random, n, keys)
    return pl.DataFrame(
        {
            "ts": _times(random, n, first, per_second),
            "ip": _ip(ip),
            "status": random.choice(np.array([200, 200, 200, 304, 404, 500]), n),
            "bytes": random.integers(10_000, 100_000, n),
            "path": "/p/" + pl.Series(random.integers(100, 1000, n)).cast(pl.String),
        }
    )


def orders(n: int, seed: int = 1, *, products: int = 50, per_second: int = 200) -> pl.DataFrame:
    """Orders of a sale: ts, product, quantity, price (whole quarters: sums of them are exact)."""
    random = np.random.default_rng([seed, 2])
    product = _zipf(random, n, products)
    return pl.DataFrame(
        {
            "ts": _times(random, n, 0, per_second),
            "product": "product-" + pl.Series(product).cast(pl.String),
            "quantity": random.integers(1, 5, n),
            "price": random.integers(4, 800, n) / 4,
        }
    )


def app_events(
    n: int, seed: int = 1, *, campaigns: int = 20, per_second: int = 200
) -> pl.DataFrame:
    """Events of an app: ts, campaign, event, amount (null unless a purchase; whole quarters)."""
    random = np.random.default_rng([seed, 3])
    kinds = np.array(["impression", "click", "install", "purchase"])
    frame = pl.DataFrame(
        {
            "ts": _times(random, n, 0, per_second),
            "campaign": "campaign-" + pl.Series(_zipf(random, n, campaigns)).cast(pl.String),
            "event": random.choice(kinds, n, p=[0.8, 0.14, 0.04, 0.02]),
            "amount": random.integers(4, 800, n) / 4,
        }
    )
    return frame.with_columns(pl.when(pl.col("event") == "purchase").then(pl.col("amount")))


def request_blocks(n: int, seed: int = 1, *, keys: int = KEYS) -> Iterator[pl.DataFrame]:
    """The first n requests in blocks that fit into memory, whatever n is."""
    for first in range(0, n, BLOCK):
        yield requests(min(BLOCK, n - first), seed, first=first, keys=keys)


def to_json(frame: pl.DataFrame) -> pl.Series:
    """One compact JSON object per row, as text.

    >>> to_json(pl.DataFrame({"n": [1], "s": ["x"]})).to_list()
    ['{"n":1,"s":"x"}']
    """
    return frame.select(pl.struct(pl.all()).struct.json_encode().alias("json")).to_series()


def partition(frame: pl.DataFrame, index: int, partitions: int = PARTITIONS) -> pl.DataFrame:
    """Rows of one partition: row i is in partition i modulo `partitions`."""
    return frame.gather_every(partitions, index)


def write_files(frame: pl.DataFrame, directory: Path, partitions: int = PARTITIONS) -> list[Path]:
    """Partitioned JSON lines: `part-0.jsonl` and so on.

    Args:
        frame: Rows to write.
        directory: Where; made if it is not there.
        partitions: Number of files.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"part-{index}.jsonl" for index in range(partitions)]
    for index, path in enumerate(paths):
        lines = to_json(partition(frame, index, partitions))
        path.write_text("".join(f"{line}\n" for line in lines))
    return paths


def _times(random: np.random.Generator, n: int, first: int, per_second: int) -> pl.Series:
    """Times that advance evenly, each moved back by up to 5 s (never before the start)."""
    even = START_MS + (np.arange(first, first + n) * 1000) // per_second
    moved = even - random.integers(0, OUT_OF_ORDER_MS, n)
    return pl.Series("ts", np.maximum(moved, START_MS))


def _zipf(random: np.random.Generator, n: int, keys: int) -> NDArray[np.int64]:
    """Ranks 0 .. keys - 1 with probability proportional to (rank + 1) ** -1.1."""
    weights = np.cumsum(np.arange(1, keys + 1, dtype=np.float64) ** -ZIPF)
    found = np.searchsorted(weights, random.random(n) * weights[-1])
    ranks: NDArray[np.int64] = np.minimum(found, keys - 1).astype(np.int64)
    return ranks


def _ip(rank: NDArray[np.int64]) -> pl.Series:
    parts = pl.DataFrame({"a": rank >> 16, "b": (rank >> 8) & 255, "c": rank & 255})
    return parts.select(pl.format("10.{}.{}.{}", "a", "b", "c").alias("ip")).to_series()
