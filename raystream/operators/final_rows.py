"""Rows that count for those behind: a row that will be replaced is not an additional row."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import IS_FINAL


def final_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows that will not be replaced: an early row of a window is not an additional row.

    >>> final_rows(pl.DataFrame({"n": [1, 2], IS_FINAL: [False, True]}))["n"].to_list()
    [2]
    """
    if IS_FINAL not in frame.columns:
        return frame
    return frame.filter(pl.col(IS_FINAL)).drop(IS_FINAL)
