"""Which pairs of rows meet in a join without limits: all, or those that live at the same time."""

from __future__ import annotations

import polars as pl

from raystream.data.batch import TIME
from raystream.operators.interval_join.bounds import ConstantInterval
from raystream.operators.join.step import Join
from raystream.operators.joins.condition import FOREVER, UNTIL, Condition, Range


def living(step: Join) -> Condition:
    """The condition of a step."""
    return Always() if step.ttl_ms is None else NearerThan(step.ttl_ms)


class Always(Condition):
    """No row is ever over."""

    def timed(self, frame: pl.DataFrame, port: int) -> pl.DataFrame:
        """For ever."""
        return frame.hstack([pl.Series(UNTIL, [FOREVER]).new_from_index(0, frame.height)])

    def reach(self, rows: pl.DataFrame, port: int) -> Range:
        """All."""
        every = rows[TIME].to_numpy() * 0 + FOREVER
        return every, every


class NearerThan(ConstantInterval):
    """Rows at most a time to live apart.

    Args:
        ttl: Milliseconds.
    """

    def __init__(self, ttl: int) -> None:
        super().__init__(-ttl, ttl)

    def behind(self, watermark: int, *, left: bool, right: bool) -> int:
        """Not held back: what a late row meets is as late as the row."""
        return watermark
