"""WithProcessingTime: event time is the time of the clock from here on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from raystream.operators.call import Call
from raystream.operators.needs import Columns, Needed
from raystream.operators.step import Step


@dataclass(frozen=True, slots=True)
class WithProcessingTime(Step):
    """Each row gets the time at which it comes, and event time goes on as the clock does.

    >>> WithProcessingTime().words()
    'event time by the clock'
    """

    word: ClassVar[str] = "with_processing_time"
    operator: ClassVar[str] = "raystream.operators.with_processing_time.operator:WithProcessingTime"

    def unchanged(self, names: Collection[str]) -> frozenset[str]:
        """All."""
        return frozenset(names)

    def needs(self, wanted: Mapping[str, Needed], inputs: Columns) -> list[Needed]:
        """The requested columns."""
        return [wanted["main"]]

    def words(self) -> str:
        """What it is."""
        return "event time by the clock"

    def label(self) -> tuple[str, str]:
        """Without more."""
        return "processing-time", ""

    def calls(self) -> tuple[Call, ...]:
        """`.with_processing_time()`."""
        return (Call("with_processing_time"),)
