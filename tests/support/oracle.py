"""The right answers of the three pipelines, from raw input, in a few lines of other code each."""

from __future__ import annotations

import polars as pl

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def requests_per_minute(rows: pl.DataFrame) -> pl.DataFrame:
    """Requests per IP and minute of event time.

    Args:
        rows: At least ts (epoch ms) and ip.

    Returns:
        ip, window_start, window_end, count.
    """
    start = pl.col("ts") - pl.col("ts") % MINUTE
    counted = rows.group_by("ip", start.alias("window_start")).agg(count=pl.len().cast(pl.Int64))
    return counted.select("ip", "window_start", _end(MINUTE), "count")


def windows(rows: pl.DataFrame, size: int, slide: int, offset: int = 0) -> pl.DataFrame:
    """Each row once per window it belongs to, with window_start and window_end.

    Args:
        rows: At least ts.
        size: Length of a window, ms, a multiple of slide.
        slide: Distance of window starts, ms.
        offset: Where a window starts, ms.
    """
    last = pl.col("ts") - (pl.col("ts") - offset) % slide
    copies = [
        rows.with_columns((last - back * slide).alias("window_start"))
        for back in range(size // slide)
    ]
    return pl.concat(copies).with_columns(_end(size))


def growing_windows(rows: pl.DataFrame, size: int, step: int, offset: int = 0) -> pl.DataFrame:
    """Each row once per cumulative window it belongs to: ends every `step` up to `size`."""
    start = pl.col("ts") - (pl.col("ts") - offset) % size
    copies = [
        rows.with_columns(start.alias("window_start"), (start + end).alias("window_end")).filter(
            pl.col("ts") < pl.col("window_end")
        )
        for end in range(step, size + 1, step)
    ]
    return pl.concat(copies)


def order_totals(rows: pl.DataFrame, start: int = 0) -> pl.DataFrame:
    """Orders, quantity and amount per product and minute, counted from the start of the sale."""
    return _totals(windows(rows, MINUTE, MINUTE, start % MINUTE))


def running_totals(
    rows: pl.DataFrame, size: int = DAY, step: int = HOUR, start: int = 0
) -> pl.DataFrame:
    """Orders, quantity and amount per product since the start of the sale, one row per step."""
    return _totals(growing_windows(rows, size, step, start))


def campaign_effect(
    rows: pl.DataFrame, size: int = 10 * MINUTE, slide: int = MINUTE
) -> pl.DataFrame:
    """Counts per event, revenue, click rate and conversion rate per campaign and hopping window."""
    kinds = ("impression", "click", "install", "purchase")
    counts = [(pl.col("event") == kind).sum().cast(pl.Int64).alias(f"{kind}s") for kind in kinds]
    revenue = pl.col("amount").filter(pl.col("event") == "purchase").sum().alias("revenue")
    grouped = windows(rows, size, slide).group_by(["campaign", "window_start", "window_end"])
    return grouped.agg(*counts, revenue).with_columns(
        click_rate=_ratio("clicks", "impressions"),
        conversion_rate=_ratio("purchases", "clicks"),
    )


def _totals(rows: pl.DataFrame) -> pl.DataFrame:
    grouped = rows.group_by(["product", "window_start", "window_end"])
    return grouped.agg(
        orders=pl.len().cast(pl.Int64),
        quantity=pl.col("quantity").sum(),
        amount=(pl.col("quantity") * pl.col("price")).sum(),
    )


def _end(size: int) -> pl.Expr:
    return (pl.col("window_start") + size).alias("window_end")


def _ratio(above: str, below: str) -> pl.Expr:
    """None where nothing is below."""
    return pl.when(pl.col(below) > 0).then(pl.col(above) / pl.col(below))
