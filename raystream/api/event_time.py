"""What the user may say of event time: what it is made of, its unit, its watermark."""

from __future__ import annotations

from typing import Any

from raystream.api.arguments import chosen
from raystream.api.expressions import expression
from raystream.api.origin import at_call, wrong
from raystream.api.time_zones import known_zone
from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.graph.steps import WithEventTime

UNITS = ("s", "ms", "us", "ns", "iso8601")
"""As formats.moments knows them."""


def checked_time(value: Any) -> Any:
    """A column, a path, SQL text or an expression, unchanged.

    Raises:
        ConfigurationError: none of these.
    """
    if isinstance(value, str) and value.strip():
        return value  # a column may be called in any way: what it means is known with the columns
    return expression(value, "event_time")


def checked_unit(said: str | None, event_time: Any, schema: Any) -> str:
    """The unit of event time: what was said, else what the declared schema says, else `ms`.

    Raises:
        ConfigurationError: no unit, or the schema says another.
    """
    word = None if said is None else chosen(said, "event_time_unit", list(UNITS))
    declared = None
    if schema is not None and isinstance(event_time, str):
        from raystream.data.schema import Schema

        with at_call():
            declared = Schema.declared_unit(schema, event_time)
    if word is not None and declared is not None and word != declared:
        text = f"event_time_unit is {word!r}, but the schema says {declared!r} of {event_time!r}"
        raise wrong(text, "leave out one of the two")
    return word or declared or "ms"


def new_event_time(
    event_time: Any, watermark: Any, unit: str, time_zone: str | None, errors: str
) -> WithEventTime:
    """The step that gives rows another event time; see `Stream.with_event_time`.

    Raises:
        ConfigurationError: one of the options is none.
    """
    return WithEventTime(
        checked_time(event_time),
        checked_watermark(watermark),
        checked_unit(unit, None, None),
        None if time_zone is None else known_zone(time_zone),
        chosen(errors, "errors", ErrorPolicy),
    )


def checked_watermark(value: Any) -> WatermarkStrategy:
    """A strategy; None: the usual one.

    Raises:
        ConfigurationError: something else.
    """
    if value is not None and not isinstance(value, WatermarkStrategy):
        text = f"watermark takes rs.Watermark(..), not {value!r}"
        raise wrong(text, 'write rs.Watermark(out_of_orderness="10s")')
    return value or WatermarkStrategy()
