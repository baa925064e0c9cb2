"""Event-time options: how it is computed, its unit, its watermark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import chosen
from raystream.api.expressions import expression
from raystream.api.origin import wrong
from raystream.api.time_zones import known_zone
from raystream.graph.logical import Edge
from raystream.graph.policies import ErrorPolicy, WatermarkStrategy
from raystream.operators.with_event_time.step import WithEventTime

if TYPE_CHECKING:
    from raystream.api.pipeline import Pipeline

UNITS = ("s", "ms", "us", "ns", "iso8601")
"""The units that formats.moments knows."""


def checked_time(value: Any) -> Any:
    """Return a column, a path, SQL text or an expression unchanged.

    Raises:
        ConfigurationError: it is none of these.
    """
    if isinstance(value, str) and value.strip():
        return value  # any column name is allowed: it is checked once the columns are known
    return expression(value, "event_time")


def units_at(pipeline: Pipeline, edge: Edge) -> Mapping[str, str]:
    """The declared units of the columns that are still as they were read."""
    if edge.tag == "errors":
        return {}
    node = pipeline.node(edge)
    if node.step.schema is not None:
        return node.step.schema.units  # type: ignore[no-any-return]
    above = [units_at(pipeline, each) for each in node.inputs]
    if not above:
        return {}
    alike = {n: u for n, u in above[0].items() if all(units.get(n) == u for units in above)}
    kept = {n: n for n in alike} if edge.tag == "late" else node.step.copies(alike)
    return {name: alike[old] for name, old in kept.items()}


def checked_unit(declared: str | None, event_time: Any, units: Mapping[str, str]) -> str:
    """Unit of event time: the explicit one, else that of the declared schema, else `ms`.

    Raises:
        ConfigurationError: not a unit, or the schema declares another one.
    """
    word = None if declared is None else chosen(declared, "event_time_unit", list(UNITS))
    declared = units.get(event_time) if isinstance(event_time, str) else None
    if word is not None and declared is not None and word != declared:
        text = f"event_time_unit is {word!r}, but the schema says {declared!r} of {event_time!r}"
        raise wrong(text, "leave out one of the two")
    return word or declared or "ms"


def new_event_time(
    event_time: Any,
    watermark: Any,
    unit: str | None,
    units: Mapping[str, str],
    time_zone: str | None,
    errors: str,
) -> WithEventTime:
    """Create the step that assigns another event time; see `Stream.with_event_time`.

    Args:
        event_time: How it is computed.
        watermark: Strategy.
        unit: As passed by the user.
        units: Declared units of the columns that are still those of the source.
        time_zone: For times without one.
        errors: Policy.

    Raises:
        ConfigurationError: one of the options is invalid.
        ConfigurationError: one of the options is none.
    """
    strategy = checked_watermark(watermark)
    if strategy.align is not None:
        text = "with_event_time cannot wait for other sources: its rows have been read"
        raise wrong(text, "write align= at the watermark of the read")
    return WithEventTime(
        checked_time(event_time),
        strategy,
        checked_unit(unit, event_time, units),
        None if time_zone is None else known_zone(time_zone),
        chosen(errors, "errors", ErrorPolicy),
    )


def checked_watermark(value: Any) -> WatermarkStrategy:
    """Return the strategy; None: the default one.

    Raises:
        ConfigurationError: not a strategy.
    """
    if value is not None and not isinstance(value, WatermarkStrategy):
        text = f"watermark takes rs.Watermark(..), not {value!r}"
        raise wrong(text, 'write rs.Watermark(out_of_orderness="10s")')
    return value or WatermarkStrategy()
