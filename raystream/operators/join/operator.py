"""Join: both streams are kept; each row is compared with all rows of the other one."""

from __future__ import annotations

from raystream.operators.join.changing import ChangingJoin
from raystream.operators.join.condition import living
from raystream.operators.join.step import Join
from raystream.operators.joins.pairs import PairJoin
from raystream.operators.operator import Operator


def operator(step: Join) -> Operator:
    """Rows that are only added make pairs that are; else pairs may have to be taken back."""
    return ChangingJoin(step) if step.changing else PairJoin(step, living(step))
