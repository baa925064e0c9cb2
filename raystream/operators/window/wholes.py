"""WholeMeasure: an aggregate that is computed of all groups at once."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from raystream.operators.window.numbers import Answer


class WholeMeasure(Protocol):
    """Its partial is one column."""

    def partial(self, rows: pl.DataFrame, groups: pl.Series, count: int) -> pl.Series:
        """Partials of all groups.

        Args:
            rows: What it reads of each row.
            groups: Number of the group of each row, from 0, rising.
            count: How many groups there are.
        """
        ...

    def merged(self, partials: pl.Series, groups: pl.Series) -> pl.Series:
        """Those of several partials of each group; every group has one."""
        ...

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The results of merged partials."""
        ...
