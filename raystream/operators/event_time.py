"""Options common to steps with an event time."""

from __future__ import annotations

from typing import Any, Protocol

from raystream.graph.policies import WatermarkStrategy


class TimedStep(Protocol):
    """A step that defines event time."""

    @property
    def event_time(self) -> Any:
        """Column, path into one, or Expression; None: the record's own timestamp."""
        ...

    @property
    def event_time_unit(self) -> str:
        """Its unit: s, ms, us, ns, iso8601."""
        ...

    @property
    def time_zone(self) -> str | None:
        """Time zone of times written without one (IANA name)."""
        ...

    @property
    def watermark(self) -> WatermarkStrategy:
        """The watermark strategy."""
        ...


def time_options(step: TimedStep) -> dict[str, Any]:
    """Options of Python's API that are not the default."""
    found: dict[str, Any] = {}
    if step.event_time_unit != "ms":
        found["event_time_unit"] = step.event_time_unit
    if step.time_zone is not None:
        found["time_zone"] = step.time_zone
    if step.watermark != WatermarkStrategy():
        found["watermark"] = step.watermark
    return found
