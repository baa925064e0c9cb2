"""Frames for tests of windows."""

from __future__ import annotations

import polars as pl


def rows_of(column: str, times: list[int]) -> pl.DataFrame:
    return pl.DataFrame({column: pl.Series(times, dtype=pl.Int64)})
