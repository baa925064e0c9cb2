"""WithEventTime: assign another event time to rows, and generate watermarks from here on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.operators.call import Call
from raystream.operators.event_time import time_options
from raystream.operators.needs import Columns, Needed, either, roots_of_time
from raystream.operators.step import Expression, Step

if TYPE_CHECKING:
    from raystream.data.schema import Schema


@dataclass(frozen=True, slots=True)
class WithEventTime(Step):
    """Assign another event time to rows, and generate watermarks from here on, per subtask.

    Args:
        event_time: Column, path into one, or Expression.
        watermark: Strategy; it replaces the upstream one.
        event_time_unit: As of a Read.
        time_zone: As of a Read.
        errors: Policy for rows without a time.

    >>> WithEventTime("shipped_at").words()
    'event time shipped_at'
    """

    word: ClassVar[str] = "with_event_time"
    form: ClassVar[str] = "with_event_time"
    operator: ClassVar[str] = "raystream.operators.with_event_time.operator:WithEventTime"

    event_time: Expression = field()
    watermark: WatermarkStrategy = field(default_factory=WatermarkStrategy)
    event_time_unit: str = "ms"
    time_zone: str | None = None
    errors: ErrorPolicy = ErrorPolicy.FAIL

    def columns_behind(self, inputs: Sequence[Schema]) -> Schema:
        """The same columns; event time must be computable from them."""
        from raystream.operators.event_times import times_of

        times_of(self, inputs[0])
        return inputs[0]

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns, and those that event time is computed from."""
        return [either(wanted["main"], roots_of_time(self.event_time, inputs[0]))]

    def words(self) -> str:
        """With what it is made of."""
        return f"event time {self.event_time}"

    def label(self) -> tuple[str, str]:
        """With what it is made of."""
        return "event-time", str(self.event_time)

    def calls(self) -> tuple[Call, ...]:
        """`.with_event_time(..)`."""
        return (Call("with_event_time", (self.event_time,), time_options(self)),)
