"""IntervalJoin: pairs of rows that are near in event time; rows wait as long as the interval."""

from __future__ import annotations

from raystream.operators.interval_join.bounds import interval
from raystream.operators.interval_join.step import IntervalJoin as Step
from raystream.operators.joins.pairs import PairJoin


class IntervalJoin(PairJoin):
    """All that is special about it is which pairs meet."""

    def __init__(self, step: Step) -> None:
        super().__init__(step, interval(step))
