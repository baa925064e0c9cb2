"""Jobs whose checkpoints are kept in v1/: never change what is here, add another one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

import raystream as rs

LATE = rs.Watermark(out_of_orderness="5s")


def rows(seed: int, number: int = 3000, every: int = 1000) -> list[dict[str, Any]]:
    """Rows out of order by up to 5 s, some of them far too late; `every` so many ms."""
    chance, found = random.Random(seed), []
    for n in range(number):
        ts = n * every + chance.randrange(5000) - (900_000 if n % 97 == 96 else 0)
        found.append(
            {
                "ts": max(ts, 0),
                "shop": chance.choice("abcdefgh"),
                "kind": chance.randrange(3),
                "n": chance.randrange(100),
                "price": chance.randrange(1000) / 8,
                "text": f"{chance.choice('xyz')} {n}",
            }
        )
    return found


def _tens(row: dict[str, Any]) -> int:
    return int(row["n"]) // 10


def _priced(row: dict[str, Any]) -> dict[str, Any]:
    return {"shop": row["shop"], "ts": row["ts"], "total": row["n"] * row["price"]}


def _words(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"word": word, "n": row["n"], "ts": row["ts"]} for word in row["text"].split()]


def _doubled(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("n") * 2)


def _letters(row: dict[str, Any]) -> bool:
    return not row["word"].isdigit()


def tumbling(out: Callable[[str], Any]) -> rs.Pipeline:
    """All aggregates, late rows, parallel."""
    p = rs.Pipeline("tumbling", checkpoint_interval="1s")
    read = p.read(rs.Rows(rows(1), partitions=2), event_time="ts", watermark=LATE, name="rows")
    kept = read.filter("n >= 5", name="kept")
    counts = kept.key_by("shop").window(rs.tumbling("10m"), name="w")
    made = counts.agg(
        n=rs.count(),
        big=rs.count(where="n > 50"),
        total=rs.sum("n"),
        mean=rs.mean("price"),
        low=rs.min("price"),
        high=rs.max(rs.col("price")),
        first=rs.first("text"),
        last=rs.last("text"),
    )
    made.write(out("counts"), name="counts")
    return p


def late(out: Callable[[str], Any]) -> rs.Pipeline:
    """Late rows are asked for: windows keep rows, not partial results; a time zone; no key."""
    p = rs.Pipeline("late", checkpoint_interval="1s")
    read = p.read(rs.Rows(rows(2)), event_time="ts", watermark=LATE, name="rows")
    days = rs.tumbling("1d", time_zone="Europe/Berlin")
    days_of = read.window(days, name="days").agg(n=rs.count(), total=rs.sum("n"))
    days_of.write(out("days"), name="days-out")
    keyed = read.key_by("kind", "shop").window(rs.tumbling("5m", offset="1m"), name="w")
    counts = keyed.agg(n=rs.count(), last=rs.last("n"))
    counts.late.write(out("late"), name="late-out")
    counts.write(out("counts"), name="counts")
    return p


def hopping(out: Callable[[str], Any]) -> rs.Pipeline:
    """Early results, and a key that a function computes, without declared types."""
    p = rs.Pipeline("hopping", checkpoint_interval="1s")
    read = p.read(
        rs.Rows(rows(3, 1400, 2000), partitions=2), event_time="ts", watermark=LATE, name="rows"
    )
    keyed = read.key_by(tens=_tens, upper=rs.col("shop").str.to_uppercase(), name="key")
    windowed = keyed.window(rs.hopping("10m", "5m"), emit=rs.early("1h"), name="w")
    made = windowed.agg(n=rs.count(), total=rs.sum("n * 2"), last=rs.last("text"))
    made.filter("final").drop("final").write(out("counts"), name="counts")
    return p


def cumulative(out: Callable[[str], Any]) -> rs.Pipeline:
    """A union, a batch function, lateness that is allowed, and a window behind it."""
    p = rs.Pipeline("cumulative", checkpoint_interval="1s")
    one = p.read(rs.Rows(rows(4, 300, 5000)), event_time="ts", watermark=LATE, name="one")
    two = p.read(rs.Rows(rows(5, 300, 5000)), event_time="ts", watermark=LATE, name="two")
    both = one.union(two, name="both").map_batches(_doubled, name="doubled")
    narrow = both.with_columns(half="n / 4", name="half").select("shop", "kind", "half", "n")
    windowed = narrow.key_by("shop").window(
        rs.cumulative("20m", "5m"), allowed_lateness="16m", name="w"
    )
    windowed.agg(n=rs.count(), half=rs.sum("half"), top=rs.max("n")).write(
        out("counts"), name="counts"
    )
    tens = narrow.drop("half").key_by("kind").window(rs.tumbling("1m"), name="minutes")
    behind = tens.agg(n=rs.sum("n")).key_by("kind").window(rs.tumbling("10m"), name="tens")
    behind.agg(top=rs.max("n")).write(out("tops"), name="tops")
    return p


def functions(out: Callable[[str], Any]) -> rs.Pipeline:
    """Functions of rows, fused; another event time; records that a format decodes."""
    p = rs.Pipeline("functions", checkpoint_interval="1s")
    records = rs.Payloads([json.dumps(row).encode() for row in rows(6, 300, 5000)])
    read = p.read(records, event_time="ts", watermark=LATE, errors="skip", name="rows")
    words = read.flat_map(_words, name="words").filter(_letters, errors="skip", name="letters")
    words.with_event_time("ts", watermark=LATE, name="again").key_by("word").window(
        rs.tumbling("10m"), name="w"
    ).agg(n=rs.count(), total=rs.sum("n")).write(out("counts"), name="counts")
    totals = read.map(_priced, name="priced").key_by("shop")
    totals.window(rs.tumbling("15m"), name="totals").agg(total=rs.sum("total")).write(
        out("totals"), name="totals-out"
    )
    return p


JOBS: Mapping[str, Callable[[Callable[[str], Any]], rs.Pipeline]] = {
    "tumbling": tumbling,
    "late": late,
    "hopping": hopping,
    "cumulative": cumulative,
    "functions": functions,
}
