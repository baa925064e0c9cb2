"""IntervalJoin: rows of two streams with equal keys whose event times are near each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from raystream.operators.call import OTHER_STREAMS, Call
from raystream.operators.joins.step import JoinStep
from raystream.operators.words import duration

if TYPE_CHECKING:
    from raystream.data.schema import Schema

Bound = int | str
"""Milliseconds behind the event time of the left row, or the name of a column of it with a time."""


@dataclass(frozen=True, slots=True)
class IntervalJoin(JoinStep):
    """Pairs with low <= event time of the right row <= high, both seen from the left row.

    Args:
        low: First bound, included.
        high: Last bound, included.

    >>> IntervalJoin((("id", "order"),), low=-5000, high=60_000).words()
    'join on id = order within -5s .. 1m'
    """

    word: ClassVar[str] = "interval_join"
    operator: ClassVar[str] = "raystream.operators.interval_join.operator:IntervalJoin"

    low: Bound = 0
    high: Bound = 0

    def own_columns(self) -> frozenset[str]:
        """Columns that are bounds."""
        return frozenset(bound for bound in (self.low, self.high) if isinstance(bound, str))

    def check(self, left: Schema, right: Schema) -> None:
        """Bounds are times."""
        from raystream.operators.interval_join.bounds import check_bound

        for name in sorted(self.own_columns()):
            check_bound(name, left.columns)

    def condition(self) -> dict[str, Any]:
        """Both bounds: how long rows are kept depends on them."""
        return {"within": [self.low, self.high]}

    def more_words(self) -> str:
        """Both bounds."""
        return f" within {_text(self.low)} .. {_text(self.high)}"

    def calls(self) -> tuple[Call, ...]:
        """`.join(other, within=(low, high))`."""
        within = (_text(self.low), _text(self.high))
        return (Call("join", (OTHER_STREAMS,), {**self.options(), "within": within}),)


def _text(bound: Bound) -> str:
    if isinstance(bound, str):
        return bound
    return f"-{duration(-bound)}" if bound < 0 else duration(bound) if bound else "0s"
